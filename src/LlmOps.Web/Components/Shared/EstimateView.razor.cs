using System.Globalization;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>A measured value with its unit, n and 95 % confidence interval, as text and as a bar on a scale that a column of them can share.</summary>
public sealed partial class EstimateView
{
    [Parameter, EditorRequired] public double Value { get; set; }
    /// <summary>Bounds of the 95 % confidence interval.</summary>
    [Parameter, EditorRequired] public double Low { get; set; }
    [Parameter, EditorRequired] public double High { get; set; }
    [Parameter] public int N { get; set; }
    [Parameter] public string? Unit { get; set; }
    /// <summary>The bar's scale; give a column one scale. Without it there is no bar.</summary>
    [Parameter] public double? ScaleMin { get; set; }
    [Parameter] public double? ScaleMax { get; set; }
    /// <summary>A mark on the scale: 0 for differences, the gate's limit, the champion.</summary>
    [Parameter] public double? Reference { get; set; }
    /// <summary>Shows the sign: a difference.</summary>
    [Parameter] public bool Signed { get; set; }
    /// <summary>Colours the bar when the whole interval is on one side of <see cref="Reference"/>.</summary>
    [Parameter] public bool? HigherIsBetter { get; set; }

    private bool HasScale => ScaleMin < ScaleMax;

    private string Judgement => (HigherIsBetter, Reference) switch
    {
        ({ } up, { } at) when Low > at => up ? "better" : "worse",
        ({ } up, { } at) when High < at => up ? "worse" : "better",
        _ => "open",
    };

    /// <summary>As many decimals as the interval's half width deserves: two of its digits.</summary>
    private int Decimals
    {
        get
        {
            var half = (High - Low) / 2;
            return half > 0 && double.IsFinite(half) ? Math.Clamp(1 - (int)Math.Floor(Math.Log10(half)), 0, 6) : 4;
        }
    }

    private string Shown => Signed && Math.Round(Value, Decimals) > 0 ? "+" + Fixed(Value) : Fixed(Value);

    private string Fixed(double value) => double.IsFinite(value) ? value.ToString("F" + Decimals, CultureInfo.InvariantCulture).Replace('-', '−') : "–";

    private string Summary => $"{Display.Number(Value, 6)} {Unit}, 95 % confidence interval {Display.Number(Low, 6)} to {Display.Number(High, 6)}{(N > 0 ? $", n = {N}" : "")}";

    private double At(double value) => 2 + 92 * (value - ScaleMin!.Value) / (ScaleMax!.Value - ScaleMin.Value);

    private string X(double value) => Math.Clamp(At(value), 2, 94).ToString("0.#", CultureInfo.InvariantCulture);
}
