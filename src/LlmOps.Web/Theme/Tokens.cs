namespace LlmOps.Web.Theme;

/// <summary>Every colour of one theme. The only place colours are written down: the style sheet and MudBlazor's palette both come from here.</summary>
public sealed record Tokens
{
    public required string Background { get; init; }
    public required string Rail { get; init; }
    public required string Surface { get; init; }
    public required string Raised { get; init; }
    public required string Sunken { get; init; }
    public required string Hover { get; init; }
    public required string Line { get; init; }
    public required string LineStrong { get; init; }
    public required string Text { get; init; }
    public required string Text2 { get; init; }
    public required string Text3 { get; init; }
    public required string Accent { get; init; }
    public required string AccentHover { get; init; }
    public required string AccentSoft { get; init; }
    public required string OnAccent { get; init; }
    public required string Blue { get; init; }
    public required string Violet { get; init; }
    public required string Green { get; init; }
    public required string Red { get; init; }
    public required string Amber { get; init; }
    public required string Grey { get; init; }
    /// <summary>Opacity of a state's colour as its own background.</summary>
    public required int SoftPercent { get; init; }
    public required IReadOnlyList<string> Series { get; init; }

    public static Tokens Light { get; } = new()
    {
        Background = "#ffffff", Rail = "#f6f7f8", Surface = "#ffffff", Raised = "#ffffff", Sunken = "#f6f7f8", Hover = "#f1f3f5",
        Line = "#e3e6e9", LineStrong = "#c9ced4", Text = "#1a1e23", Text2 = "#545d68", Text3 = "#6b7480",
        Accent = "#0f6b80", AccentHover = "#0b5768", AccentSoft = "#e4f1f4", OnAccent = "#ffffff",
        Blue = "#1d62c8", Violet = "#7440c4", Green = "#1a7a3e", Red = "#c32f27", Amber = "#8f5b00", Grey = "#5c6570", SoftPercent = 10,
        Series = ["#0f6b80", "#c2571a", "#6a4fb8", "#2f8a4c", "#b8336a", "#8a6d00", "#3a6fd0", "#6b7480"],
    };

    public static Tokens Dark { get; } = new()
    {
        Background = "#121416", Rail = "#0d0f11", Surface = "#121416", Raised = "#1c2024", Sunken = "#0d0f11", Hover = "#1a1e22",
        Line = "#272c31", LineStrong = "#3d444c", Text = "#e4e7ea", Text2 = "#a2abb5", Text3 = "#87919c",
        Accent = "#4fbfd6", AccentHover = "#74d0e3", AccentSoft = "#12303a", OnAccent = "#06222a",
        Blue = "#6ea8fe", Violet = "#b592f5", Green = "#5bc480", Red = "#f4827a", Amber = "#e0ad4a", Grey = "#9aa4ae", SoftPercent = 14,
        Series = ["#4fbfd6", "#f0975a", "#ab93f0", "#6cc88a", "#ee7fa8", "#d6b548", "#7facf8", "#9aa4ae"],
    };

    /// <summary>The same values as CSS custom properties; names are the property names in kebab case.</summary>
    public string ToCss()
    {
        var named = new (string Name, string Value)[]
        {
            ("background", Background), ("rail", Rail), ("surface", Surface), ("raised", Raised), ("sunken", Sunken), ("hover", Hover),
            ("line", Line), ("line-strong", LineStrong), ("text", Text), ("text-2", Text2), ("text-3", Text3),
            ("accent", Accent), ("accent-hover", AccentHover), ("accent-soft", AccentSoft), ("on-accent", OnAccent),
            ("blue", Blue), ("violet", Violet), ("green", Green), ("red", Red), ("amber", Amber), ("grey", Grey), ("soft", $"{SoftPercent}%"),
        };
        return string.Concat(named.Select(t => $"--{t.Name}:{t.Value};").Concat(Series.Select((c, i) => $"--series-{i + 1}:{c};")));
    }
}
