using LlmOps.Engines.Onnx;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>The proof of an export: the verdict in words, every comparison, and where a failed one begins.</summary>
public sealed partial class ParityReportView
{
    private ParityReport? report;

    [Parameter, EditorRequired] public string? Json { get; set; }

    protected override void OnParametersSet() => report = StoredReport.Read<ParityReport>(Json) is { Cases: not null, Failures: not null, Layers: not null } known ? known : null;

    private string Verdict => report switch
    {
        { Passed: true } r => $"Computes what the checkpoint computes: no logit of a prefill differs by more than {Number(r.MaxAbsDifference)}, the most likely token is the same at {Share(r.ArgmaxAgreement)} of positions{(r.GreedyPrompts > 0 ? $", and {r.GreedyEqual} of {r.GreedyPrompts} greedy continuations are equal" : "")}.",
        { FirstBadLayer: { } bad } => $"Does not compute what the checkpoint computes; it first differs after {bad}.",
        { Layers.Count: > 0 } => "Does not compute what the checkpoint computes, though every layer agrees: the difference arises after the last one, in the final norm, the head or the cache.",
        _ => "Does not compute what the checkpoint computes. Where it begins is not recorded.",
    };

    private static string Number(double value) => double.IsNaN(value) ? "NaN" : double.IsInfinity(value) ? "infinite" : Display.Number(value, 3);

    // 99.98 % is not 100 %.
    private static string Share(double value) => value >= 1 ? "100 %" : Display.Percent(Math.Floor(value * 1e4) / 1e4, 2);
}
