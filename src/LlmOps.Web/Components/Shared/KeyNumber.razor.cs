using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>A number large enough to be the first thing read, with its unit, n and the difference against the champion.</summary>
public sealed partial class KeyNumber
{
    [Parameter, EditorRequired] public string Label { get; set; } = "";
    [Parameter, EditorRequired] public string Value { get; set; } = "";
    [Parameter] public string? Unit { get; set; }
    /// <summary>Difference in the same unit.</summary>
    [Parameter] public double? Delta { get; set; }
    /// <summary>What it is compared with ("champion v3").</summary>
    [Parameter] public string? Against { get; set; }
    /// <summary>Null when neither direction is better: then the delta has no colour.</summary>
    [Parameter] public bool? HigherIsBetter { get; set; }
    [Parameter] public long? N { get; set; }
    /// <summary>For example the confidence interval.</summary>
    [Parameter] public string? Note { get; set; }

    private string Judgement => HigherIsBetter is not { } up || Delta is not { } d || d == 0 ? "same" : d > 0 == up ? "better" : "worse";

    private string DeltaTitle => (Judgement switch { "better" => "better", "worse" => "worse", _ => "difference" }) + (Against is null ? "" : $" against {Against}");
}
