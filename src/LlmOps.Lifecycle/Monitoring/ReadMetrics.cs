using System.Reflection;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Monitoring;

/// <summary>
/// What Prometheus is told. Jobs, workers, approvals and scores are read from the records, so every process says the same; what this process served is counted in it.
/// Labels are names of things of which there are few, never of people or runs.
/// </summary>
public sealed class ReadMetrics(IDbContextFactory<LlmOpsDb> dbs, ServingMeter meter, TimeProvider time)
{
    private static readonly string Version = (typeof(ReadMetrics).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown").Split('+')[0];

    public async Task<IReadOnlyList<MetricFamily>> ReadAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        return
        [
            new("llmops_build_info", MetricType.Gauge, "Always 1; the label says which version runs.", [new(1, "", ("version", Version))]),
            .. await JobsAsync(db, now, ct), .. await WorkersAsync(db, now, ct), .. await ApprovalsAsync(db, now, ct), await ScoresAsync(db, ct), .. await WebhooksAsync(db, now, ct), .. await JudgesAsync(db, ct), .. await DriftAsync(db, ct), .. GpuMemory.Read(), .. meter.Read(),
        ];
    }

    private static async Task<IEnumerable<MetricFamily>> JobsAsync(LlmOpsDb db, DateTimeOffset now, CancellationToken ct)
    {
        var over = await db.Jobs.Where(j => j.EndedAt != null).GroupBy(j => new { j.Kind, j.State }).Select(g => new { g.Key.Kind, g.Key.State, Count = g.Count() }).ToListAsync(ct);
        var durations = await db.Jobs.Where(j => j.EndedAt != null && j.StartedAt != null).Select(j => new { j.Kind, j.StartedAt, j.EndedAt }).ToListAsync(ct);
        var waiting = await db.Jobs.Where(j => j.State == JobState.Queued).Select(j => new { j.Needs, j.CreatedAt, j.NotBefore }).ToListAsync(ct);
        var running = await db.Jobs.Where(j => j.State == JobState.Running).GroupBy(j => j.Needs).Select(g => new { g.Key, Count = g.Count() }).ToListAsync(ct);
        string[] queues = [.. waiting.Select(w => w.Needs).Concat(running.Select(r => r.Key)).Append("cpu").Distinct().Order(StringComparer.Ordinal)];
        return
        [
            new("llmops_jobs", MetricType.Counter, "Jobs that have ended.", [.. over.OrderBy(o => o.Kind, StringComparer.Ordinal).ThenBy(o => o.State).Select(o => new MetricSample(o.Count, "", ("kind", o.Kind), ("outcome", o.State.ToString().ToLowerInvariant())))]),
            new("llmops_job_duration_seconds", MetricType.Summary, "Time from the last start of a job to its end.", [.. durations.GroupBy(d => d.Kind).OrderBy(g => g.Key, StringComparer.Ordinal).SelectMany(g => new[]
            {
                new MetricSample(g.Sum(d => (d.EndedAt!.Value - d.StartedAt!.Value).TotalSeconds), "_sum", ("kind", g.Key)), new MetricSample(g.Count(), "_count", ("kind", g.Key)),
            })]),
            new("llmops_queue_depth", MetricType.Gauge, "Jobs that wait for a worker.", [.. queues.Select(q => new MetricSample(waiting.Count(w => w.Needs == q), "", ("queue", q)))]),
            new("llmops_queue_oldest_seconds", MetricType.Gauge, "How long the oldest job that may start has waited.", [.. queues.Select(q => new MetricSample(
                waiting.Where(w => w.Needs == q && (w.NotBefore is null || w.NotBefore <= now)).Select(w => (now - (w.NotBefore ?? w.CreatedAt)).TotalSeconds).DefaultIfEmpty(0).Max(), "", ("queue", q)))]),
            new("llmops_jobs_running", MetricType.Gauge, "Jobs that a worker carries out.", [.. queues.Select(q => new MetricSample(running.FirstOrDefault(r => r.Key == q)?.Count ?? 0, "", ("queue", q)))]),
        ];
    }

    private static async Task<IEnumerable<MetricFamily>> WorkersAsync(LlmOpsDb db, DateTimeOffset now, CancellationToken ct)
    {
        var workers = (await db.Workers.AsNoTracking().Where(w => w.StoppedAt == null).ToListAsync(ct)).GroupBy(w => w.Name).Select(g => g.MaxBy(w => w.HeartbeatAt)!).OrderBy(w => w.Name, StringComparer.Ordinal).ToList();
        var slots = workers.Where(w => w.Provides.Split(',', StringSplitOptions.TrimEntries).Contains("gpu")).Sum(w => w.Slots);
        var busy = await db.Jobs.CountAsync(j => j.State == JobState.Running && j.Needs == "gpu", ct);
        return
        [
            new("llmops_worker_heartbeat_age_seconds", MetricType.Gauge, "Time since a worker that has not said that it stops was last heard of.", [.. workers.Select(w => new MetricSample((now - w.HeartbeatAt).TotalSeconds, "", ("worker", w.Name)))]),
            new("llmops_worker_slots", MetricType.Gauge, "Jobs that a worker carries out at a time.", [.. workers.Select(w => new MetricSample(w.Slots, "", ("worker", w.Name)))]),
            new("llmops_gpu_slots", MetricType.Gauge, "Slots of workers that provide a GPU.", [new(busy, "", ("state", "busy")), new(Math.Max(0, slots - busy), "", ("state", "free"))]),
        ];
    }

    private static async Task<IEnumerable<MetricFamily>> ApprovalsAsync(LlmOpsDb db, DateTimeOffset now, CancellationToken ct)
    {
        var pending = await db.Approvals.Where(a => a.State == ApprovalState.WaitingForApproval).Select(a => new { a.AliasName, a.CreatedAt }).ToListAsync(ct);
        return
        [
            new("llmops_approvals_pending", MetricType.Gauge, "Requests that wait for a decision.", [.. pending.GroupBy(p => p.AliasName).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => new MetricSample(g.Count(), "", ("stage", g.Key)))]),
            new("llmops_approval_age_seconds", MetricType.Gauge, "How long the oldest request has waited for a decision.", [new(pending.Select(p => (now - p.CreatedAt).TotalSeconds).DefaultIfEmpty(0).Max())]),
        ];
    }

    private static async Task<IEnumerable<MetricFamily>> WebhooksAsync(LlmOpsDb db, DateTimeOffset now, CancellationToken ct)
    {
        var waiting = await db.WebhookDeliveries.Where(d => d.State == DeliveryState.Waiting && d.Endpoint!.State == EndpointState.Active).GroupBy(d => 1).Select(g => new { Count = g.Count(), Oldest = g.Min(d => d.CreatedAt) }).FirstOrDefaultAsync(ct);
        var endpoints = await db.WebhookEndpoints.GroupBy(e => e.State).Select(g => new { g.Key, Count = g.Count() }).ToDictionaryAsync(g => g.Key, g => g.Count, ct);
        return
        [
            new("llmops_webhook_queue_depth", MetricType.Gauge, "Deliveries that wait for active endpoints.", [new(waiting?.Count ?? 0)]),
            new("llmops_webhook_queue_oldest_seconds", MetricType.Gauge, "How long the oldest delivery has waited.", [new(waiting is null ? 0 : (now - waiting.Oldest).TotalSeconds)]),
            new("llmops_webhook_endpoints", MetricType.Gauge, "Endpoints that are told, and those that are disabled.", [new(endpoints.GetValueOrDefault(EndpointState.Active), "", ("state", "active")), new(endpoints.GetValueOrDefault(EndpointState.Disabled), "", ("state", "disabled"))]),
        ];
    }

    private static async Task<IEnumerable<MetricFamily>> JudgesAsync(LlmOpsDb db, CancellationToken ct)
    {
        var details = await db.EvaluationRuns.Where(r => r.DetailJson != null && r.DetailJson.Contains("\"judges\"")).Select(r => r.DetailJson).ToListAsync(ct);
        var conducts = details.SelectMany(d => JudgedTasks.Parse(d).Values).GroupBy(c => c.Judge.Split('/', '@')[0]).OrderBy(g => g.Key, StringComparer.Ordinal).ToList();
        return
        [
            new("llmops_judge_tokens", MetricType.Counter, "Tokens that judges read and wrote in evaluations.", [.. conducts.SelectMany(g => new[]
            {
                new MetricSample(g.Sum(c => c.PromptTokens), "", ("judge", g.Key), ("direction", "input")), new MetricSample(g.Sum(c => c.AnswerTokens), "", ("judge", g.Key), ("direction", "output")),
            })]),
            new("llmops_judge_cost_usd", MetricType.Counter, "What judges cost by their prices.", [.. conducts.Select(g => new MetricSample(g.Sum(c => c.CostUsd), "", ("judge", g.Key)))]),
        ];
    }

    private static async Task<IEnumerable<MetricFamily>> DriftAsync(LlmOpsDb db, CancellationToken ct)
    {
        var newest = await db.Deployments.Where(d => !d.Stopped).Select(d => new { d.Name, Check = db.DriftChecks.Where(c => c.DeploymentId == d.Id).OrderByDescending(c => c.At).FirstOrDefault() }).Where(d => d.Check != null).ToListAsync(ct);
        return [new("llmops_deployment_drifted", MetricType.Gauge, "1 where the newest look at a deployment found that its traffic drifted.", [.. newest.OrderBy(n => n.Name, StringComparer.Ordinal).Select(n => new MetricSample(n.Check!.Verdict == Verdict.Fail ? 1 : 0, "", ("deployment", n.Name)))])];
    }

    /// <summary>The newest scores of what the aliases point to; only shares, because a metric has one unit.</summary>
    private static async Task<MetricFamily> ScoresAsync(LlmOpsDb db, CancellationToken ct)
    {
        var scores = await (from alias in db.Aliases
                            join model in db.Models on alias.ModelId equals model.Id
                            join run in db.EvaluationRuns on alias.VersionId equals run.VersionId
                            where run.State == JobState.Succeeded && (alias.VariantName == null || alias.VariantName == run.VariantName)
                            join metric in db.EvaluationMetrics on run.Id equals metric.EvaluationRunId
                            where metric.Unit == "share" && metric.Value >= 0 && metric.Value <= 1
                            select new { Model = model.Name, Alias = alias.Name, Suite = run.Suite!.Name, Metric = metric.Name, Variant = run.VariantName, run.StartedAt, metric.Value }).ToListAsync(ct);
        return new("llmops_eval_score_ratio", MetricType.Gauge, "The newest measured share of a suite for what an alias points to.",
            [.. scores.GroupBy(s => (s.Model, s.Alias, s.Suite, s.Metric)).OrderBy(g => g.Key).Select(g => new MetricSample(g.MaxBy(s => s.StartedAt)!.Value, "", ("model", g.Key.Model), ("alias", g.Key.Alias), ("suite", g.Key.Suite), ("metric", g.Key.Metric)))]);
    }
}
