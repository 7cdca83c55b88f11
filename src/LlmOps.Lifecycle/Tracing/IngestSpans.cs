using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Monitoring;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>What this server did itself.</summary>
public sealed class IngestSpans(WriteSpans write, ServingMeter meter, TraceSettings settings, Hints hints)
{
    /// <summary>Adds the spans that are not there yet, and returns after the commit; sending a batch twice adds nothing.</summary>
    public async Task<int> IngestAsync(IReadOnlyCollection<Span> spans, CancellationToken ct = default)
    {
        if (spans.Count == 0)
            return 0;
        Span[] shown = [.. spans.Select(s => RedactSpan.Hide(s, settings))];
        meter.Served(shown);
        EmittedSpans.Emit(shown);
        var added = await write.WriteAsync(shown, ct);
        await hints.ChangedAsync(Areas.Trace, Guid.Empty);
        return added;
    }
}

public sealed class GiveFeedback(IDbContextFactory<LlmOpsDb> dbs, TimeProvider time)
{
    public async Task GiveAsync(string traceId, int score, string? comment, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Chat);
        if (score is not (1 or -1))
            throw LlmOpsException.Invalid("Feedback is 1 or -1.");
        await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            if (!await db.Spans.AnyAsync(s => s.TraceId == traceId, ct))
                throw LlmOpsException.NotFound("Trace", traceId);
            var given = await db.Feedback.SingleOrDefaultAsync(f => f.TraceId == traceId && f.PersonId == actor.Id, ct);
            var before = given?.Score;
            if (given is null)
                db.Feedback.Add(given = new Feedback { TraceId = traceId, PersonId = actor.Id, PersonName = actor.Name });
            given.Score = score;
            given.Comment = comment;
            given.At = time.GetUtcNow();
            db.Record(actor, "feedback", "trace", traceId, given.At, before, score);
            await db.SaveChangesAsync(ct);
            return true;
        });
    }
}
