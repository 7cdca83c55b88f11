using System.Globalization;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Traces;

public sealed partial class TracePage
{
    private TraceDetail? trace;
    private IReadOnlyList<(Span Span, int Depth)> ordered = [];
    private Span chosen = null!;
    private DatasetDialog dialog = null!;

    [Inject] private ReadTraces Traces { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter] public string Id { get; set; } = "";

    private int? Mine => trace!.Feedback.FirstOrDefault(f => f.PersonId == Actor.Id)?.Score;

    private string? Objection => Actor.Objection(Permission.WriteDatasets);
    private string InputTitle => chosen.Kind switch { "execute_tool" => "Arguments", "retrieval" => "Query", _ => "Input" };
    private string OutputTitle => chosen.Kind switch { "execute_tool" => "Result", "retrieval" => "Retrieved chunks", _ => "Output" };
    private IReadOnlyList<TraceChunk> Chunks => chosen.Kind != "retrieval" ? [] : TraceChunk.Read(chosen.Output) is { Count: > 0 } told ? told : TraceChunk.ReadHits(chosen.AttributesJson);

    private IEnumerable<string> Counted()
    {
        if (chosen.Model is { } model) yield return chosen.Provider is { } provider ? $"{model} of {provider}" : model;
        if (chosen.InputTokens is { } input) yield return $"{Display.Count(input)} tokens in";
        if (chosen.CacheReadTokens is { } read) yield return $"{Display.Count(read)} of them from the cache";
        if (chosen.CacheWriteTokens is { } write) yield return $"{Display.Count(write)} written to the cache";
        if (chosen.OutputTokens is { } output) yield return $"{Display.Count(output)} tokens out";
        if (chosen.CostUsd is { } usd) yield return $"${Display.Number(usd, 4)}";
    }

    /// <summary>Tokens after the first one, over the time after the first one.</summary>
    private double? Speed => trace!.Root is { OutputTokens: > 1 and var tokens, FirstTokenMs: { } first } root && root.DurationMs > first ? (tokens - 1) / (root.DurationMs - first) * 1000 : null;

    protected override async Task OnParametersSetAsync()
    {
        if (trace?.TraceId == Id) return;
        trace = null;
        await ReadAsync();
        chosen = trace!.Root;
    }

    private async Task ReadAsync()
    {
        var read = await Traces.GetAsync(Id);
        ordered = [.. Under(read, null, 0)];
        // spans whose parent was never sent stand at the end instead of being lost
        ordered = [.. ordered, .. read.Spans.Except(ordered.Select(o => o.Span)).Select(s => (s, 0))];
        if (chosen is not null) chosen = read.Spans.FirstOrDefault(s => s.SpanId == chosen.SpanId) ?? read.Root;
        else chosen = read.Root;
        trace = read;
    }

    private static IEnumerable<(Span, int)> Under(TraceDetail trace, string? parent, int depth) =>
        depth > 64 ? [] : trace.Spans.Where(s => s.ParentSpanId == parent).SelectMany(s => Under(trace, s.SpanId, depth + 1).Prepend((s, depth)));

    private string Bar(Span span)
    {
        var whole = Math.Max(trace!.DurationMs, 1e-6);
        var left = 100 * trace.BeganMs(span) / whole;
        return string.Create(CultureInfo.InvariantCulture, $"left:{Math.Clamp(left, 0, 99.5):0.##}%;width:{Math.Clamp(100 * span.DurationMs / whole, 0.5, 100 - Math.Clamp(left, 0, 99.5)):0.##}%");
    }
}
