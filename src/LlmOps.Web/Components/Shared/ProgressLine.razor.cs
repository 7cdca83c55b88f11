using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>How far long work is, how fast it goes and how long it still takes.</summary>
public sealed partial class ProgressLine
{
    [Parameter] public string? Label { get; set; }
    [Parameter, EditorRequired] public double Done { get; set; }
    /// <summary>Null when nobody knows how much there is.</summary>
    [Parameter] public double? Total { get; set; }
    /// <summary>What is counted ("steps", "rows"). Without it <see cref="Done"/> over <see cref="Total"/> is shown in per cent.</summary>
    [Parameter] public string? Unit { get; set; }
    /// <summary>Units per second.</summary>
    [Parameter] public double? Rate { get; set; }
    /// <summary>Milliseconds left; worked out of <see cref="Rate"/> when not given.</summary>
    [Parameter] public double? RemainingMs { get; set; }

    private double? Fraction => Total is { } total and > 0 ? Math.Clamp(Done / total, 0, 1) : null;

    private string? Percent => Fraction is { } f ? Math.Round(f * 100).ToString(System.Globalization.CultureInfo.InvariantCulture) : null;

    private double? Remaining => Fraction >= 1 ? null : RemainingMs ?? (Rate is { } rate and > 0 && Total is { } total ? (total - Done) / rate * 1000 : null);

    private string Amount => (Unit, Total) switch
    {
        (null, _) => Fraction is { } f ? Display.Percent(f) : "",
        ({ } unit, null) => $"{Display.Count((long)Done)} {unit}",
        ({ } unit, { } total) => $"{Display.Count((long)Done)} of {Display.Count((long)total)} {unit}",
    };
}
