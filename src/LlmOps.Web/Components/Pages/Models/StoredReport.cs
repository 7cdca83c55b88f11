using System.Text.Json;
using LlmOps.Engines.Benchmarking;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Optimization;
using LlmOps.Engines.Quantization;
using LlmOps.Worker.Handlers;
using StoredJson = LlmOps.Lifecycle.Data.Json;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>The parts of a variant's report that have a view of their own, whichever stage stored it.</summary>
public sealed record StoredReport
{
    public QuantizationReport? Report { get; init; }
    public ComparisonReport? Comparison { get; init; }
    public ProbeReport? Speed { get; init; }
    public SearchSummary? Search { get; init; }
    public OptimizationReport? Optimization { get; init; }
    public StartUpComparison? StartUp { get; init; }
    public GraphProfiles? Profile { get; init; }

    /// <summary>Null when nothing is stored, or something of another shape: what an earlier version wrote is shown as plain values.</summary>
    public static T? Read<T>(string? json) where T : class
    {
        if (string.IsNullOrWhiteSpace(json)) return null;
        try
        {
            return JsonSerializer.Deserialize<T>(json, StoredJson.Options);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            return null;
        }
    }
}
