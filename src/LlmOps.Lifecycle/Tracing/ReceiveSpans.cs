using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Monitoring;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

/// <param name="Rejected">Spans that cannot be kept, whoever sends them again.</param>
/// <param name="Why">The first reasons, or null.</param>
public sealed record ReceivedOutcome(int Rejected, string? Why);

/// <summary>What programs outside send about themselves.</summary>
public sealed class ReceiveSpans(IDbContextFactory<LlmOpsDb> dbs, WriteSpans write, ServingMeter meter, TraceSettings settings, KeepEvaluationResults results, Hints hints, TimeProvider time)
{
    private const int ReasonsTold = 3;
    private static readonly TimeSpan PricesHold = TimeSpan.FromSeconds(10);
    private sealed record KnownPrices(IReadOnlyList<ModelPrice> Prices, DateTimeOffset Until);
    private KnownPrices? known;

    /// <summary>Returns when everything that can be kept is in the database.</summary>
    public Task<ReceivedOutcome> ReceiveAsync(IReadOnlyList<ReceivedSpan> sent, CancellationToken ct = default) => ReceiveAsync(sent, all: false, ct);

    /// <param name="all">Also what sampling would leave out: the client has sampled already.</param>
    public async Task<ReceivedOutcome> ReceiveAsync(IReadOnlyList<ReceivedSpan> sent, bool all, CancellationToken ct = default)
    {
        HashSet<string>? announced = null;
        var prices = await PricesAsync(ct);
        var kept = new List<Span>(sent.Count);
        List<Assessment> said = [];
        List<string> reasons = [];
        var rejected = 0;
        foreach (var span in sent)
            if (span.Objection is { } objection)
            {
                rejected++;
                if (reasons.Count < ReasonsTold && !reasons.Contains(objection))
                    reasons.Add(objection);
            }
            else if (all || settings.Keeps(span.TraceId))
            {
                if (MlflowAttributes.AreThere(span.Attributes))
                    (announced ??= []).Add(span.TraceId);
                said.AddRange(results.Of(span));
                kept.Add(RedactSpan.Hide(CanonicalSpan.From(span, prices), settings));
            }
        var added = kept.Count == 0 ? 0 : await write.WriteAsync(kept, ct);
        if (announced is not null)
            await ReplacePlaceholdersAsync([.. announced], ct);
        // A crash before this leaves the batch unacknowledged: it is sent again, and adds what is missing.
        await results.KeepAsync(said, ct);
        meter.Received(added, kept.Count - added, rejected, sent.Count - rejected - kept.Count);
        if (added > 0)
            await hints.ChangedAsync(Areas.Trace, Guid.Empty);
        return new(rejected, rejected == 0 ? null : string.Join("; ", reasons) + ".");
    }

    /// <summary>Clients of the MLflow API may have told of these traces before; now the spans say it themselves, but for what is true of the whole trace.</summary>
    private async Task ReplacePlaceholdersAsync(string[] traceIds, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        string[] placeholders = [.. traceIds.Select(PlaceholderSpan.IdOf)];
        await db.Spans.Where(s => traceIds.Contains(s.TraceId) && placeholders.Contains(s.SpanId)).ExecuteDeleteAsync(ct);
        foreach (var said in await db.TraceTags.AsNoTracking().Where(t => traceIds.Contains(t.TraceId) && t.IsMetadata && (t.Key == LogTrace.Session || t.Key == LogTrace.User)).ToListAsync(ct))
            if (said.Key == LogTrace.Session)
                await db.Spans.Where(s => s.TraceId == said.TraceId && s.SessionId == null).ExecuteUpdateAsync(u => u.SetProperty(s => s.SessionId, said.Value), ct);
            else
                await db.Spans.Where(s => s.TraceId == said.TraceId && s.ParentSpanId == null && s.UserName == null).ExecuteUpdateAsync(u => u.SetProperty(s => s.UserName, said.Value), ct);
    }

    // Read at most every few seconds: a stream of small batches must not become a stream of the same question.
    private async Task<IReadOnlyList<ModelPrice>> PricesAsync(CancellationToken ct)
    {
        var now = time.GetUtcNow();
        if (known is { } current && now < current.Until)
            return current.Prices;
        await using var db = await dbs.CreateDbContextAsync(ct);
        return (known = new(await db.ModelPrices.AsNoTracking().ToListAsync(ct), now + PricesHold)).Prices;
    }
}
