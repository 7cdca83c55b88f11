using System.Globalization;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>A curve small enough for a table cell. Give it at most some hundred points.</summary>
public sealed partial class Sparkline
{
    [Parameter, EditorRequired] public IReadOnlyList<double> Values { get; set; } = [];
    [Parameter] public int Width { get; set; } = 88;
    [Parameter] public int Height { get; set; } = 20;

    private string Label => $"{Values.Count} values from {Display.Number(Values[0])} to {Display.Number(Values[^1])}";

    private string Points
    {
        get
        {
            double low = Values.Min(), span = Math.Max(Values.Max() - low, 1e-300);
            return string.Join(' ', Values.Select((v, i) => string.Create(CultureInfo.InvariantCulture, $"{1 + (Width - 2.0) * i / (Values.Count - 1):0.#},{1 + (Height - 2) * (1 - (v - low) / span):0.#}")));
        }
    }
}
