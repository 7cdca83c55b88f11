using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>A conversation: all traces with one gen_ai.conversation.id or session.id.</summary>
/// <param name="Tokens">Input and output of its paid steps together; null when none says so.</param>
public sealed record SessionRow(string Id, int Traces, int Failed, DateTimeOffset StartedAt, DateTimeOffset LastAt, long? Tokens, double? CostUsd);

/// <param name="Error">Why the trace failed; null when it did not.</param>
public sealed record SessionTurn(string TraceId, DateTimeOffset At, double DurationMs, string? Model, IReadOnlyList<ConversationTurn> Asked, IReadOnlyList<ConversationTurn> Answered, string? Error, int ThumbsUp, int ThumbsDown);

/// <param name="IsCut">There are more traces than are shown.</param>
public sealed record SessionDetail(SessionRow Row, IReadOnlyList<SessionTurn> Turns, bool IsCut);

/// <summary>Conversations across their traces.</summary>
public sealed class ReadSessions(IDbContextFactory<LlmOpsDb> dbs)
{
    public const int MostTraces = 500;

    /// <summary>The one that was spoken in last comes first.</summary>
    public async Task<Window<SessionRow>> ListAsync(string? search, int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var spans = db.Spans.AsNoTracking().Where(s => s.SessionId != null);
        if (search?.Trim().ToLowerInvariant() is { Length: > 0 } text)
            spans = spans.Where(s => s.SessionId!.ToLower().Contains(text));
        var page = await spans.GroupBy(s => s.SessionId!).Select(g => new { Id = g.Key, Last = g.Max(s => s.StartedAt) }).OrderByDescending(g => g.Last).ThenBy(g => g.Id).WindowAsync(skip, take, ct);
        var rows = await RowsAsync(db, [.. page.Rows.Select(r => r.Id)], ct);
        return new([.. page.Rows.Select(r => rows[r.Id])], page.Total);
    }

    /// <summary>What was said, oldest first. A question is shown once, although each trace repeats the conversation before it.</summary>
    public async Task<SessionDetail> GetAsync(string id, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var row = (await RowsAsync(db, [id], ct)).GetValueOrDefault(id) ?? throw LlmOpsException.NotFound("Conversation", id);
        var traces = await db.Spans.AsNoTracking().Where(s => s.SessionId == id).GroupBy(s => s.TraceId).Select(g => new { g.Key, At = g.Min(s => s.StartedAt) }).OrderBy(g => g.At).ThenBy(g => g.Key).Select(g => g.Key).Take(MostTraces).ToListAsync(ct);
        var spans = (await db.Spans.AsNoTracking().Where(s => traces.Contains(s.TraceId)).ToListAsync(ct)).ToLookup(s => s.TraceId);
        var scores = (await db.Feedback.AsNoTracking().Where(f => traces.Contains(f.TraceId)).ToListAsync(ct)).ToLookup(f => f.TraceId);
        return new(row, [.. traces.Select(t => Turn(new TraceDetail(t, [.. spans[t].OrderBy(s => s.StartUnixNanos()).ThenBy(s => s.SpanId, StringComparer.Ordinal)], [.. scores[t]])))], row.Traces > traces.Count);
    }

    /// <summary>What the first step that has both says was asked and answered: the root, else the call of a model.</summary>
    public static SessionTurn Turn(TraceDetail trace)
    {
        var root = trace.Root;
        var said = trace.Spans.Prepend(root).FirstOrDefault(s => !string.IsNullOrEmpty(s.Input) && !string.IsNullOrEmpty(s.Output) && s.Kind is not ("retrieval" or "execute_tool" or "embeddings")) ?? trace.Spans.FirstOrDefault(s => !string.IsNullOrEmpty(s.Input)) ?? root;
        var asked = ConversationText.Turns(said.Input, "user");
        // From the last answer on: what stands before it was said in an earlier trace.
        var before = asked.ToList().FindLastIndex(t => t.Role is "assistant" or "model");
        return new(trace.TraceId, trace.StartedAt, trace.DurationMs, said.Model ?? said.DeploymentName ?? trace.Spans.Select(s => s.Model).FirstOrDefault(m => m is not null), [.. asked.Skip(before + 1).Where(t => t.Role != "system" || before < 0)],
            ConversationText.Turns(said.Output, "assistant"), trace.Spans.Select(s => s.Error).FirstOrDefault(e => e is not null), trace.Feedback.Count(f => f.Score > 0), trace.Feedback.Count(f => f.Score < 0));
    }

    private static async Task<Dictionary<string, SessionRow>> RowsAsync(LlmOpsDb db, IReadOnlyList<string> ids, CancellationToken ct)
    {
        var spans = await db.Spans.AsNoTracking().Where(s => s.SessionId != null && ids.Contains(s.SessionId)).Select(s => new { s.SessionId, s.TraceId, s.StartedAt, Failed = s.Error != null, s.Kind, s.InputTokens, s.OutputTokens, s.CostUsd }).ToListAsync(ct);
        return spans.GroupBy(s => s.SessionId!).ToDictionary(g => g.Key, g => new SessionRow(g.Key, g.Select(s => s.TraceId).Distinct().Count(), g.Where(s => s.Failed).Select(s => s.TraceId).Distinct().Count(), g.Min(s => s.StartedAt), g.Max(s => s.StartedAt),
            g.Any(s => s.InputTokens is not null && ReadTraces.Paid.Contains(s.Kind)) ? g.Where(s => ReadTraces.Paid.Contains(s.Kind)).Sum(s => (long)(s.InputTokens ?? 0) + (s.OutputTokens ?? 0)) : null,
            g.Any(s => s.CostUsd is not null) ? g.Sum(s => s.CostUsd ?? 0) : null));
    }
}
