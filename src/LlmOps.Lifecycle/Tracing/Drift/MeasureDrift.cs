using System.Security.Cryptography;
using System.Text;
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

    private sealed record Side(int Traces, List<AskedTrace> Asked);

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
        IReadOnlyList<DriftExamples> examples = [];
        if (Math.Min(before.Asked.Count, now.Asked.Count) >= policy.LeastTraces)
        {
            var (past, present) = (Texts(before), Texts(now));
            var vectors = Math.Min(past.Count, present.Count) < policy.LeastTraces ? null : await embed(deployment, [.. past, .. present], ct);
            by = vectors?.By;
            var (first, second) = (Sample(before, vectors?.Vectors.Take(past.Count)), Sample(now, vectors?.Vectors.Skip(past.Count)));
            measures = await Task.Run(() => DriftRule.Compare(policy, first, second), ct);
            examples = ShowDrift.Examples(measures, now.Asked, first.Embeddings, [.. Questions(now).Select(q => q.TraceId).Zip(second.Embeddings)]);
        }
        var (verdict, words) = DriftRule.Judge(policy, measures, before.Traces, now.Traces);
        return new(deployment, policy, from, window, to, before.Traces, now.Traces, DriftRule.Level(policy), by, measures, verdict, words) { Refusals = ShowDrift.Refusals(before.Asked, now.Asked), Examples = examples };
    }

    /// <summary>The same share of random numbers for the same trace and seed, whatever else is in the database.</summary>
    private static ulong Draw(string traceId, int seed) => BitConverter.ToUInt64(SHA256.HashData(Encoding.ASCII.GetBytes($"{seed}.{traceId}")));

    private static async Task<Side> ReadAsync(LlmOpsDb db, string deployment, DateTimeOffset from, DateTimeOffset to, DriftPolicy policy, CancellationToken ct)
    {
        var roots = db.Spans.AsNoTracking().Where(s => s.DeploymentName == deployment && s.ParentSpanId == null && s.Kind != WatchCanaries.ShadowKind && s.Kind != "embeddings" && s.StartedAt >= from && s.StartedAt < to
            && (s.Error == null || !s.Error.EndsWith(WatchCanaries.GaveUp)));
        var ids = await roots.OrderByDescending(s => s.StartedAt).Select(s => s.TraceId).Take(MostKnown).ToListAsync(ct);
        var asked = new List<AskedTrace>();
        foreach (var chunk in ids.Distinct().OrderBy(id => Draw(id, policy.Seed)).Take(policy.MostTraces).Chunk(ReadAtOnce))
        {
            var signals = await SignalsAsync(db, chunk, ct);
            asked.AddRange((await roots.Where(s => chunk.Contains(s.TraceId)).Select(s => new { s.TraceId, s.Input, s.Output, Failed = s.Error != null, s.DurationMs, s.InputTokens, s.OutputTokens }).ToListAsync(ct))
                .Select(s => new AskedTrace(s.TraceId, s.Input, s.Output, s.Failed, s.DurationMs, s.InputTokens, s.OutputTokens, s.Failed ? null : RefusalRule.Find(s.Output, signals[s.TraceId], policy.RefusalPhrases ?? []))));
        }
        // In an order of their own: what a database returns first must not change a number.
        return new(ids.Count, [.. asked.OrderBy(a => Draw(a.TraceId, policy.Seed)).ThenBy(a => a.TraceId, StringComparer.Ordinal)]);
    }

    /// <summary>Attributes and answers of any step that could say that an answer was withheld: a guard before the deployment adds a step of its own. Few are read: the words are looked for in the database.</summary>
    private static async Task<ILookup<string, string?>> SignalsAsync(LlmOpsDb db, string[] traceIds, CancellationToken ct)
    {
        var steps = db.Spans.AsNoTracking().Where(s => traceIds.Contains(s.TraceId));
        var attributes = await steps.Where(s => s.AttributesJson.ToLower().Contains("filter") || s.AttributesJson.ToLower().Contains("refusal") || s.AttributesJson.ToLower().Contains("safety")
            || s.AttributesJson.ToLower().Contains("prohibited") || s.AttributesJson.ToLower().Contains("blocklist") || s.AttributesJson.ToLower().Contains("guardrail")).Select(s => new { s.TraceId, Text = (string?)s.AttributesJson }).ToListAsync(ct);
        var answers = await steps.Where(s => s.ParentSpanId != null && s.Output != null && (s.Output.Contains("refusal") || s.Output.Contains("finish"))).Select(s => new { s.TraceId, Text = s.Output }).ToListAsync(ct);
        return attributes.Concat(answers).ToLookup(s => s.TraceId, s => s.Text);
    }

    /// <summary>What was asked last in each conversation.</summary>
    private static IEnumerable<(string TraceId, string Text)> Questions(Side side) =>
        side.Asked.Select(a => (a.TraceId, ConversationText.Turns(a.Input, "user").LastOrDefault(t => t.Role == "user")?.Text ?? "")).Where(q => !string.IsNullOrWhiteSpace(q.Item2)).Take(DriftPolicy.MostEmbedded);

    private static List<string> Texts(Side side) => [.. Questions(side).Select(q => q.Text)];

    private static DriftSample Sample(Side side, IEnumerable<float[]>? vectors)
    {
        var answers = side.Asked.Where(a => a.IsAnswer).ToList();
        return new([.. side.Asked.Where(a => a.PromptTokens is not null).Select(a => (double)a.PromptTokens!.Value)], [.. side.Asked.Where(a => !a.Failed && a.CompletionTokens is not null).Select(a => (double)a.CompletionTokens!.Value)],
            [.. side.Asked.Where(a => !a.Failed).Select(a => a.DurationMs)], answers.Count(a => a.Refused is not null), answers.Count, [.. vectors ?? []]);
    }
}
