using System.Text.Json;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Tracking;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

/// <param name="At">When it began; now where nothing is said.</param>
/// <param name="State">"OK", "ERROR", "IN_PROGRESS", or null where the spans are to say it.</param>
public sealed record NewTrace(string TraceId, Guid ExperimentId, DateTimeOffset? At, double? DurationMs, string? State, string? ClientRequestId, string? RequestPreview, string? ResponsePreview, IReadOnlyList<KeyValue> Metadata, IReadOnlyList<KeyValue> Tags);

public sealed record PromptLink(string Name, string Version);

/// <summary>What clients of the MLflow API say of traces: that one began or ended, its tags, and what it belongs to. The trace itself is its spans.</summary>
public sealed class LogTrace(WriteGroups groups, WriteSpans write, TraceSettings settings, Hints hints, TimeProvider time)
{
    public const int MostLinks = 100;
    public const string SourceRun = "mlflow.sourceRun", Session = "mlflow.trace.session", User = "mlflow.trace.user", Name = "mlflow.traceName", Prompts = "mlflow.linkedPrompts";
    /// <summary>Tags that this server works out itself.</summary>
    public const string ArtifactLocation = "mlflow.artifactLocation", SpansLocation = "mlflow.trace.spansLocation";
    private static readonly string[] States = ["OK", "ERROR", "IN_PROGRESS"], Contents = ["mlflow.traceInputs", "mlflow.traceOutputs", User, "mlflow.user", "mlflow.note.content"];

    public static string? EnsureState(string? state) => state?.ToUpperInvariant() switch
    {
        null or "" or "STATE_UNSPECIFIED" or "TRACE_STATUS_UNSPECIFIED" => null,
        { } word when States.Contains(word) => word,
        _ => throw LlmOpsException.Invalid($"Invalid value '{TrackingKeys.Shown(state)}' for the state of a trace; it is OK, ERROR or IN_PROGRESS."),
    };

    /// <summary>Begins a trace, or says more of one that is there.</summary>
    public async Task StartAsync(NewTrace trace, CancellationToken ct = default)
    {
        TrackingLimits.EnsureText(trace.ClientRequestId, "client_request_id", LoggedTrace.LongestClientId);
        EnsureValid(trace.Metadata);
        EnsureValid(trace.Tags);
        var now = time.GetUtcNow();
        var placeholder = RedactSpan.Hide(Placeholder(trace, now), settings);
        var isBare = await groups.WriteAsync(async db =>
        {
            if (trace.ExperimentId == TrackingKeys.DefaultExperimentId)
                await CreateExperiment.EnsureDefaultAsync(db, now, CancellationToken.None);
            ChangeExperiment.EnsureActive(await ChangeExperiment.GetAsync(db, trace.ExperimentId, CancellationToken.None));
            var row = await RowAsync(db, trace.TraceId, trace.ExperimentId, now);
            row.ExperimentId = trace.ExperimentId;
            row.State = trace.State ?? row.State;
            row.ClientRequestId = trace.ClientRequestId ?? row.ClientRequestId;
            row.RequestPreview = placeholder.Input ?? row.RequestPreview;
            row.ResponsePreview = placeholder.Output ?? row.ResponsePreview;
            await PutAsync(db, trace.TraceId, trace.Metadata, isMetadata: true);
            await PutAsync(db, trace.TraceId, trace.Tags, isMetadata: false);
            await db.SaveChangesAsync();
            await DescribeSpansAsync(db, trace.TraceId, placeholder);
            return !await db.Spans.AnyAsync(s => s.TraceId == trace.TraceId);
        }, ct);
        if (isBare)
        {
            await write.WriteAsync([placeholder], ct);
            // Spans may have come since it was seen that there are none: whoever of the two looks last takes away the step that only stands for them.
            await groups.WriteAsync(db => db.Spans.Where(s => s.TraceId == placeholder.TraceId && s.SpanId == placeholder.SpanId && db.Spans.Any(o => o.TraceId == s.TraceId && o.SpanId != s.SpanId)).ExecuteDeleteAsync(), ct);
        }
        await hints.ChangedAsync(Areas.Trace, Guid.Empty);
    }

    /// <summary>Says to which experiment traces belong that are sent as spans; those of which it was said before stay where they are.</summary>
    public async Task PlaceAsync(Guid experimentId, IEnumerable<string> traceIds, CancellationToken ct = default)
    {
        string[] ids = [.. traceIds.Select(TraceKeys.Find).OfType<string>().Where(settings.Keeps).Distinct()];
        var now = time.GetUtcNow();
        await groups.WriteAsync(async db =>
        {
            if (experimentId == TrackingKeys.DefaultExperimentId)
                await CreateExperiment.EnsureDefaultAsync(db, now, CancellationToken.None);
            ChangeExperiment.EnsureActive(await ChangeExperiment.GetAsync(db, experimentId, CancellationToken.None));
            var placed = await db.LoggedTraces.Where(t => ids.Contains(t.TraceId)).Select(t => t.TraceId).ToListAsync();
            db.LoggedTraces.AddRange(ids.Except(placed).Select(id => new LoggedTrace { TraceId = id, ExperimentId = experimentId, CreatedAt = now }));
            await db.SaveChangesAsync();
            return true;
        }, ct);
    }

    /// <summary>Says how a trace ended; what was said of it before stays where nothing new is said.</summary>
    public async Task EndAsync(string traceId, DateTimeOffset? at, string? state, IReadOnlyList<KeyValue> metadata, IReadOnlyList<KeyValue> tags, CancellationToken ct = default)
    {
        EnsureValid(metadata);
        EnsureValid(tags);
        await ChangeAsync(traceId, async (db, row) =>
        {
            row.State = state ?? row.State;
            await PutAsync(db, traceId, metadata, isMetadata: true);
            await PutAsync(db, traceId, tags, isMetadata: false);
            var id = PlaceholderSpan.IdOf(traceId);
            if (at is { } end && await db.Spans.Where(s => s.TraceId == traceId && s.SpanId == id).Select(s => (DateTimeOffset?)s.StartedAt).SingleOrDefaultAsync() is { } start)
            {
                var took = Math.Max(0, (end - start).TotalMilliseconds);
                await db.Spans.Where(s => s.TraceId == traceId && s.SpanId == id).ExecuteUpdateAsync(u => u.SetProperty(s => s.DurationMs, took).SetProperty(s => s.Error, state == "ERROR" ? "The client says that it failed." : null));
            }
        }, ct);
    }

    public Task TagAsync(string traceId, string? key, string? value, CancellationToken ct = default)
    {
        KeyValue[] tags = [new(TrackingKeys.Required(key, "key"), value ?? "")];
        EnsureValid(tags);
        if (key is ArtifactLocation or SpansLocation)
            throw LlmOpsException.Invalid($"Tag '{key}' is immutable and cannot be set on a trace.");
        return ChangeAsync(traceId, (db, _) => PutAsync(db, traceId, tags, isMetadata: false), ct);
    }

    public Task UntagAsync(string traceId, string? key, CancellationToken ct = default) => ChangeAsync(traceId, async (db, _) =>
    {
        var gone = TrackingKeys.Required(key, "key");
        if (await db.TraceTags.Where(t => t.TraceId == traceId && !t.IsMetadata && t.Key == gone).ExecuteDeleteAsync() == 0)
            throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"No trace tag with key '{TrackingKeys.Shown(gone)}' for trace with ID '{TraceKeys.Text(traceId)}'.");
    }, ct);

    /// <summary>All of them, or none when one is not there.</summary>
    public async Task LinkToRunAsync(IReadOnlyList<string> traceIds, Guid runId, CancellationToken ct = default)
    {
        if (traceIds.Count > MostLinks)
            throw LlmOpsException.Invalid($"Cannot link more than {MostLinks} traces to a run in a single request. Provided {traceIds.Count} traces.");
        string[] ids = [.. traceIds.Distinct()];
        await groups.WriteAsync(async db =>
        {
            await ChangeRun.ActiveAsync(db, runId, CancellationToken.None);
            var known = await db.Spans.Where(s => ids.Contains(s.TraceId)).Select(s => s.TraceId).Distinct().ToListAsync();
            if (ids.Except(known).FirstOrDefault() is { } missing)
                throw TraceKeys.NotFound(missing);
            var linked = await db.RunTraces.Where(l => l.RunId == runId && ids.Contains(l.TraceId)).Select(l => l.TraceId).ToListAsync();
            db.RunTraces.AddRange(ids.Except(linked).Select(id => new RunTrace { RunId = runId, TraceId = id }));
            await db.SaveChangesAsync();
            return true;
        }, ct);
        await hints.ChangedAsync(Areas.Trace, Guid.Empty);
    }

    /// <summary>Kept where MLflow's clients look for them: as JSON in a tag.</summary>
    public Task LinkPromptsAsync(string traceId, IReadOnlyList<PromptLink> prompts, CancellationToken ct = default)
    {
        foreach (var (name, version) in prompts)
        {
            TrackingLimits.EnsureText(TrackingKeys.Required(name, "prompt_versions.name"), "Prompt name", 256);
            if (!int.TryParse(TrackingKeys.Required(version, "prompt_versions.version"), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out _))
                throw LlmOpsException.Invalid($"Invalid value '{TrackingKeys.Shown(version)}' for parameter 'prompt_versions.version' supplied: it is the number of a version.");
        }
        return ChangeAsync(traceId, async (db, _) =>
        {
            var before = await db.TraceTags.Where(t => t.TraceId == traceId && !t.IsMetadata && t.Key == Prompts).Select(t => t.Value).SingleOrDefaultAsync();
            var linked = Links(before).Concat(prompts).Distinct().ToList();
            var text = Json.Write(linked);
            if (text.Length > TraceTag.LongestValue)
                throw LlmOpsException.Invalid($"A trace is linked with at most {TraceTag.LongestValue} characters of prompts; {linked.Count} are more than that.");
            await PutAsync(db, traceId, [new(Prompts, text)], isMetadata: false);
        }, ct);
    }

    public static IReadOnlyList<PromptLink> Links(string? tag)
    {
        try
        {
            return string.IsNullOrEmpty(tag) ? [] : [.. Json.Read<List<PromptLink?>>(tag).OfType<PromptLink>().Where(l => l is { Name: not null, Version: not null })];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return [];      // a client may put anything into a tag
        }
    }

    private Span Placeholder(NewTrace trace, DateTimeOffset now) => new()
    {
        TraceId = trace.TraceId, SpanId = PlaceholderSpan.IdOf(trace.TraceId), Kind = "span", StartedAt = trace.At ?? now, DurationMs = Math.Max(0, trace.DurationMs ?? 0),
        Name = Of(trace.Tags, Name) ?? "trace", Input = Cut(trace.RequestPreview), Output = Cut(trace.ResponsePreview), Error = trace.State == "ERROR" ? "The client says that it failed." : null,
        SessionId = Of(trace.Metadata, Session), UserName = Of(trace.Metadata, User),
    };

    private static string? Of(IReadOnlyList<KeyValue> pairs, string key) => pairs.LastOrDefault(p => p.Key == key)?.Value is { Length: > 0 } value ? value : null;

    private static string? Cut(string? sent) => sent?.Replace("\0", "", StringComparison.Ordinal) is not { } preview ? null : preview is not { Length: > LoggedTrace.LongestPreview } ? preview
        : preview[..(char.IsHighSurrogate(preview[LoggedTrace.LongestPreview - 1]) ? LoggedTrace.LongestPreview - 1 : LoggedTrace.LongestPreview)];

    /// <summary>What was said of the whole trace and the spans themselves do not say.</summary>
    private static async Task DescribeSpansAsync(LlmOpsDb db, string traceId, Span placeholder)
    {
        if (placeholder.SessionId is { } session)
            await db.Spans.Where(s => s.TraceId == traceId && s.SessionId == null).ExecuteUpdateAsync(u => u.SetProperty(s => s.SessionId, session));
        if (placeholder.UserName is { } user)
            await db.Spans.Where(s => s.TraceId == traceId && s.ParentSpanId == null && s.UserName == null).ExecuteUpdateAsync(u => u.SetProperty(s => s.UserName, user));
        await db.Spans.Where(s => s.TraceId == traceId && s.SpanId == placeholder.SpanId).ExecuteUpdateAsync(u => u.SetProperty(s => s.DurationMs, placeholder.DurationMs)
            .SetProperty(s => s.Input, s => placeholder.Input ?? s.Input).SetProperty(s => s.Output, s => placeholder.Output ?? s.Output).SetProperty(s => s.Error, placeholder.Error));
    }

    private async Task ChangeAsync(string traceId, Func<LlmOpsDb, LoggedTrace, Task> change, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await groups.WriteAsync(async db =>
        {
            if (!await db.Spans.AnyAsync(s => s.TraceId == traceId))
                throw TraceKeys.NotFound(traceId);
            await change(db, await RowAsync(db, traceId, TrackingKeys.DefaultExperimentId, now));
            await db.SaveChangesAsync();
            return true;
        }, ct);
        await hints.ChangedAsync(Areas.Trace, Guid.Empty);
    }

    internal static async Task<LoggedTrace> RowAsync(LlmOpsDb db, string traceId, Guid experimentId, DateTimeOffset now)
    {
        if (await db.LoggedTraces.FindAsync(traceId) is { } row)
            return row;
        return db.LoggedTraces.Add(new LoggedTrace { TraceId = traceId, ExperimentId = experimentId, CreatedAt = now }).Entity;
    }

    private async Task PutAsync(LlmOpsDb db, string traceId, IReadOnlyList<KeyValue> pairs, bool isMetadata)
    {
        foreach (var (key, sent) in pairs.Where(p => p.Key is not (ArtifactLocation or SpansLocation)))
        {
            var value = key.StartsWith("mlflow.", StringComparison.Ordinal) && !Contents.Contains(key) ? sent : RedactSpan.Text(sent, settings)!;
            if (await db.TraceTags.FindAsync(traceId, isMetadata, key) is { } tag)
                tag.Value = value;
            else
                db.TraceTags.Add(new TraceTag { TraceId = traceId, IsMetadata = isMetadata, Key = key, Value = value });
        }
    }

    private static void EnsureValid(IReadOnlyList<KeyValue> pairs)
    {
        TrackingLimits.EnsureCount(pairs.Count, 1000, "tags");
        foreach (var (key, value) in pairs)
        {
            TrackingLimits.EnsureText(TrackingKeys.Required(key, "key"), "Trace tag key", TraceTag.LongestKey);
            TrackingLimits.EnsureText(value, $"Trace tag value of '{key}'", TraceTag.LongestValue);
        }
    }
}
