using LlmOps.Engines.Optimization;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>How a variant was made and what that cost: a view for each part that is known, plain values for the rest.</summary>
public sealed partial class VariantReportView
{
    private StoredReport? report;
    private string? read;

    [Parameter, EditorRequired] public string? Json { get; set; }
    [Parameter, EditorRequired] public string Source { get; set; } = "";

    private bool HasView => report is { Report: not null } or { Comparison: not null } or { Search: not null } or { Optimization: not null } or { Profile: not null };

    protected override void OnParametersSet()
    {
        if (read == Json) return;
        read = Json;
        report = StoredReport.Read<StoredReport>(Json);
    }

    private string Optimised(OptimizationReport optimised)
    {
        var nodes = $"{Display.Count(optimised.NodesBefore)} nodes became {Display.Count(optimised.NodesAfter)}{(optimised.Record is { } r ? $" at level {r.Level}" : "")}; logits differ by {Display.Number(optimised.RelativeL2, 3)} (relative L2 on random tokens).";
        return report!.StartUp is { OnlineMs: { } online, OfflineMs: { } offline } start
            ? $"{nodes} A session starts in {Display.Duration(offline.Value)} ({Display.Duration(offline.Low)} – {Display.Duration(offline.High)}) instead of {Display.Duration(online.Value)} ({Display.Duration(online.Low)} – {Display.Duration(online.High)}): medians of {start.Repeats} fresh processes each."
            : nodes;
    }
}
