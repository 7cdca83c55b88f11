using MudBlazor;

namespace LlmOps.Web.Theme;

/// <summary>The product's look as MudBlazor understands it, and as a style sheet for everything else.</summary>
public static class InterfaceTheme
{
    private static readonly string[] TextFont = ["Inter", "system-ui", "sans-serif"];

    public static MudTheme Mud { get; } = new()
    {
        PaletteLight = Fill(new PaletteLight(), Tokens.Light),
        PaletteDark = Fill(new PaletteDark(), Tokens.Dark),
        LayoutProperties = new LayoutProperties { DefaultBorderRadius = "4px" },
        Typography = new Typography
        {
            Default = new DefaultTypography { FontFamily = TextFont, FontSize = "14px", LineHeight = "20px", LetterSpacing = "normal" },
            Body1 = new Body1Typography { FontFamily = TextFont, FontSize = "14px", LineHeight = "20px", LetterSpacing = "normal" },
            Body2 = new Body2Typography { FontFamily = TextFont, FontSize = "13px", LineHeight = "18px", LetterSpacing = "normal" },
            Button = new ButtonTypography { FontFamily = TextFont, FontSize = "14px", FontWeight = "500", LineHeight = "20px", TextTransform = "none", LetterSpacing = "normal" },
            Caption = new CaptionTypography { FontFamily = TextFont, FontSize = "12px", LineHeight = "16px", LetterSpacing = "normal" },
            H6 = new H6Typography { FontFamily = TextFont, FontSize = "16px", FontWeight = "600", LineHeight = "24px", LetterSpacing = "normal" },
        },
    };

    /// <summary>Both palettes, chosen by the attribute that the head script sets before the first paint.</summary>
    public static string Css { get; } = $":root{{{Tokens.Light.ToCss()}color-scheme:light}}:root[data-theme=dark]{{{Tokens.Dark.ToCss()}color-scheme:dark}}";

    private static T Fill<T>(T palette, Tokens t) where T : Palette
    {
        palette.Primary = t.Accent;
        palette.PrimaryContrastText = t.OnAccent;
        palette.Secondary = t.Text2;
        palette.Info = t.Blue;
        palette.Success = t.Green;
        palette.Error = t.Red;
        palette.Warning = t.Amber;
        palette.Background = t.Background;
        palette.BackgroundGray = t.Sunken;
        palette.Surface = t.Raised;
        palette.TextPrimary = t.Text;
        palette.TextSecondary = t.Text2;
        palette.TextDisabled = t.Text3;
        palette.ActionDefault = t.Text2;
        palette.LinesDefault = t.Line;
        palette.LinesInputs = t.LineStrong;
        palette.TableLines = t.Line;
        palette.Divider = t.Line;
        palette.AppbarBackground = t.Background;
        palette.AppbarText = t.Text;
        palette.DrawerBackground = t.Rail;
        palette.DrawerText = t.Text;
        palette.OverlayDark = "rgba(0,0,0,.5)";
        return palette;
    }
}
