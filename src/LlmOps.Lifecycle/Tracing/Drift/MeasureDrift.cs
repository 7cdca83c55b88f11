using System.Security.Cryptography;
using System.Text;
using LlmOps.Engines.Evaluation.Detectors;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Deployments;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing.Drift;

/// <param name="By">What made them, as people name it.</param>
public sealed record EmbeddedTexts(string By, IReadOnlyList<float[]> Vectors);

/// <summary>Vectors of what a deployment was asked; null when nothing here can make them. Serving knows the models, and this area only the numbers.</summary>
public delegate Task<EmbeddedTexts?> EmbedAsked(string deployment, IReadOnlyList<string> texts, CancellationToken ct);

/// <summary>Compares the newest traces of a deployment with those before. It reads a bounded sample: which traces are in it depends on the seed and their ids only.</summary>
public sealed class MeasureDrift(IDbContextFactory<LlmOpsDb> dbs, EmbedAsked embed, TimeProvider time)
{
    /// <summary>The sample is drawn from at most so many of the newest of each side.</summary>
    public const int MostKnown = 50_000;
    private const int ReadAtOnce = 500;

    private sealed record Side(int Traces, List<Asked> Asked);

    private sealed record Asked(string TraceId, string? Input, string? Output, bool Failed, double DurationMs, long? PromptTokens, long? CompletionTokens);

    public async Task<DriftReport> MeasureAsync(string deployment, DriftPolicy policy, CancellationToken ct = default)
    {
        policy.Ensure();
        var to = time.GetUtcNow();
        var window = to.AddHours(-policy.WindowHours);
        var from = window.AddDays(-policy.BaselineDays);
        await using var db = await dbs.CreateDbContextAsync(ct);
        if (!await db.Deployments.AnyAsync(d => d.Name == deployment, ct))
            throw LlmOpsException.NotFound("Deployment", deployment);
        var (before, now) = (await ReadAsync(db, deployment, from, window, policy, ct), await ReadAsync(db, deployment, window, to, policy, ct));
        IReadOnlyList<DriftMeasure> measures = [];
        string? by = null;
        if (Math.Min(before.Asked.Count, now.Asked.Count) >= policy.LeastTraces)
        {
            var (past, present) = (Texts(before), Texts(now));
            var vectors = Math.Min(past.Count, present.Count) < policy.LeastTraces ? null : await embed(deployment, [.. past, .. present], ct);
            by = vectors?.By;
            measures = await Task.Run(() => DriftRule.Compare(policy, Sample(before, vectors?.Vectors.Take(past.Count)), Sample(now, vectors?.Vectors.Skip(past.Count))), ct);
        }
        var (verdict, words) = DriftRule.Judge(policy, measures, before.Traces, now.Traces);
        return new(deployment, policy, from, window, to, before.Traces, now.Traces, DriftRule.Level(policy), by, measures, verdict, words);
    }

    /// <summary>The same share of random numbers for the same trace and seed, whatever else is in the database.</summary>
    private static ulong Draw(string traceId, int seed) => BitConverter.ToUInt64(SHA256.HashData(Encoding.ASCII.GetBytes($"{seed}.{traceId}")));

    private static async Task<Side> ReadAsync(LlmOpsDb db, string deployment, DateTimeOffset from, DateTimeOffset to, DriftPolicy policy, CancellationToken ct)
    {
        var roots = db.Spans.AsNoTracking().Where(s => s.DeploymentName == deployment && s.ParentSpanId == null && s.Kind != WatchCanaries.ShadowKind && s.Kind != "embeddings" && s.StartedAt >= from && s.StartedAt < to
            && (s.Error == null || !s.Error.EndsWith(WatchCanaries.GaveUp)));
        var ids = await roots.OrderByDescending(s => s.StartedAt).Select(s => s.TraceId).Take(MostKnown).ToListAsync(ct);
        var asked = new List<Asked>();
        foreach (var chunk in ids.Distinct().OrderBy(id => Draw(id, policy.Seed)).Take(policy.MostTraces).Chunk(ReadAtOnce))
            asked.AddRange(await roots.Where(s => chunk.Contains(s.TraceId)).Select(s => new Asked(s.TraceId, s.Input, s.Output, s.Error != null, s.DurationMs, s.InputTokens, s.OutputTokens)).ToListAsync(ct));
        // In an order of their own: what a database returns first must not change a number.
        return new(ids.Count, [.. asked.OrderBy(a => Draw(a.TraceId, policy.Seed)).ThenBy(a => a.TraceId, StringComparer.Ordinal)]);
    }

    /// <summary>What was asked last in each conversation.</summary>
    private static List<string> Texts(Side side) =>
        [.. side.Asked.Select(a => ConversationText.Turns(a.Input, "user").LastOrDefault(t => t.Role == "user")?.Text).OfType<string>().Where(t => !string.IsNullOrWhiteSpace(t)).Take(DriftPolicy.MostEmbedded)];

    private static DriftSample Sample(Side side, IEnumerable<float[]>? vectors)
    {
        var answers = side.Asked.Where(a => !a.Failed && !string.IsNullOrEmpty(a.Output)).Select(a => string.Join("\n", ConversationText.Turns(a.Output, "assistant").Select(t => t.Text))).ToList();
        return new([.. side.Asked.Where(a => a.PromptTokens is not null).Select(a => (double)a.PromptTokens!.Value)], [.. side.Asked.Where(a => !a.Failed && a.CompletionTokens is not null).Select(a => (double)a.CompletionTokens!.Value)],
            [.. side.Asked.Where(a => !a.Failed).Select(a => a.DurationMs)], answers.Count(a => RefusalDetector.Find(a) is not null), answers.Count, [.. vectors ?? []]);
    }
}
