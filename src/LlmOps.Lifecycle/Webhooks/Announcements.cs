using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Webhooks;

/// <summary>What each event says. A use case calls these before it saves, so the event is there exactly when the change is.</summary>
public static class Announcements
{
    public static Task AnnounceModelAsync(this LlmOpsDb db, RegisteredModel model, DateTimeOffset now, CancellationToken ct) =>
        db.AnnounceAsync(WebhookEvents.ModelCreated, model.Name, new { model.Name, tags = model.Tags.ToDictionary(t => t.Key, t => t.Value), description = WebhookEvents.Short(model.Description), created_by = model.Owner }, now, ct);

    public static Task AnnounceVersionAsync(this LlmOpsDb db, string model, ModelVersion version, DateTimeOffset now, CancellationToken ct) =>
        db.AnnounceAsync(WebhookEvents.VersionCreated, $"{model}/{version.Number}", new
        {
            name = model, version = version.Number, source = version.Source ?? $"models:/{model}/{version.Number}", run_id = version.RunId?.ToString("N"), tags = version.Tags.ToDictionary(t => t.Key, t => t.Value),
            description = WebhookEvents.Short(version.Description), version.Stage, digest = version.ArtifactDigest, version.SizeBytes, version.CreatedBy,
        }, now, ct);

    public static Task AnnounceTagAsync(this LlmOpsDb db, ModelVersion version, string key, string? value, DateTimeOffset now, CancellationToken ct) =>
        db.AnnounceAsync(value is null ? WebhookEvents.TagDeleted : WebhookEvents.TagSet, version.Key().ToString(), new { version.Model!.Name, version = version.Number, key, value = WebhookEvents.Short(value) }, now, ct);

    public static Task AnnounceAliasAsync(this LlmOpsDb db, AliasMove move, DateTimeOffset now, CancellationToken ct) => db.AnnounceAsync(WebhookEvents.AliasSet, now, async () =>
    {
        var model = await db.Models.Where(m => m.Id == move.ModelId).Select(m => m.Name).SingleAsync(ct);
        var numbers = await db.ModelVersions.Where(v => v.Id == move.ToVersionId || v.Id == move.FromVersionId).ToDictionaryAsync(v => v.Id, v => v.Number, ct);
        var before = move.FromVersionId is { } from && numbers.TryGetValue(from, out var number) ? number : (int?)null;
        return ($"{model}@{move.Name}", new { name = model, alias = move.Name, version = numbers[move.ToVersionId], variant = move.VariantName, from_version = before, kind = move.Kind, approval = move.ApprovalId, move.MovedBy });
    }, ct);

    public static Task AnnounceAliasGoneAsync(this LlmOpsDb db, string model, string alias, DateTimeOffset now, CancellationToken ct) =>
        db.AnnounceAsync(WebhookEvents.AliasDeleted, $"{model}@{alias}", new { name = model, alias }, now, ct);

    /// <param name="signature">The word that was just given; null when the request was made or ended without one.</param>
    public static Task AnnounceApprovalAsync(this LlmOpsDb db, string type, ApprovalRequest request, ApprovalSignature? signature, DateTimeOffset now, CancellationToken ct) => db.AnnounceAsync(type, now, async () =>
    {
        var version = await db.ModelVersions.AsNoTracking().Include(v => v.Model).SingleAsync(v => v.Id == request.VersionId, ct);
        return ($"{version.Model!.Name}@{request.AliasName}", new
        {
            request.Id, version.Model.Name, version = version.Number, variant = request.VariantName, alias = request.AliasName, kind = request.Kind, state = request.State, request.RequestedBy, request.RequiredApprovals,
            reason = WebhookEvents.Short(request.Reason), request.EvidenceDigest, signed_by = signature?.PersonName, decision = signature?.Decision, comment = WebhookEvents.Short(signature?.Comment ?? request.Comment),
            decided_by = request.DecidedBy, voided_reason = WebhookEvents.Short(request.VoidedReason), href = $"/approvals/{request.Id}",
        });
    }, ct);

    public static async Task AnnounceGateAsync(this LlmOpsDb db, GateAnswer answer, GateQuestion question, string? chosen, DateTimeOffset now, CancellationToken ct)
    {
        foreach (var judged in answer.Variants)
            await db.AnnounceAsync(WebhookEvents.GateDecided, $"{question.Version}:{judged.Candidate.VariantName}", new
            {
                name = VersionKey.Parse(question.Version).Name, version = answer.Version.Number, variant = judged.Candidate.VariantName, verdict = judged.Outcome.Verdict, chosen = judged.Candidate.VariantName == chosen,
                question.Suite, policy = answer.Policy?.Key, champion = judged.Candidate.Champion, evaluation = judged.Run.Id, words = WebhookEvents.Short(judged.Outcome.Words),
            }, now, ct);
    }

    public static Task AnnounceEvaluationAsync(this LlmOpsDb db, EvaluationRun run, DateTimeOffset now, CancellationToken ct) => db.AnnounceAsync(WebhookEvents.EvaluationFinished, now, async () =>
    {
        var version = await db.ModelVersions.AsNoTracking().Include(v => v.Model).SingleAsync(v => v.Id == run.VersionId, ct);
        var suite = await db.EvaluationSuites.Where(s => s.Id == run.SuiteId).Select(s => s.Name).SingleAsync(ct);
        return ($"{version.Key()}:{run.VariantName}", new { run.Id, version.Model!.Name, version = version.Number, variant = run.VariantName, suite, state = run.State, job = run.JobId, href = $"/evaluations/{run.Id}" });
    }, ct);

    public static Task AnnounceDeploymentAsync(this LlmOpsDb db, Deployment deployment, IEnumerable<Revision> revisions, string change, string by, DateTimeOffset now, CancellationToken ct) =>
        db.AnnounceAsync(WebhookEvents.DeploymentChanged, deployment.Name, new
        {
            deployment.Name, kind = deployment.Kind, change, by, traffic = revisions.Where(r => r.TrafficPercent > 0).OrderBy(r => r.Number).Select(r => new { revision = r.Number, percent = r.TrafficPercent }).ToList(),
        }, now, ct);

    public static Task AnnounceJobFailedAsync(this LlmOpsDb db, Job job, string? error, DateTimeOffset now, CancellationToken ct) => db.AnnounceAsync(WebhookEvents.JobFailed, now, async () =>
    {
        var stage = await db.StageRuns.AsNoTracking().Where(s => s.Id == job.StageRunId).Select(s => new { s.Name, Pipeline = s.PipelineRun!.Name, Run = s.PipelineRunId }).SingleOrDefaultAsync(ct);
        return (stage is null ? job.Kind : $"{stage.Pipeline}: {stage.Name}", new
        {
            job.Id, job.Kind, error = WebhookEvents.Short(error), job.Attempt, job.CreatedBy, pipeline = stage?.Pipeline, stage = stage?.Name, pipeline_run = stage?.Run, href = stage is null ? null : $"/pipeline-runs/{stage.Run}",
        });
    }, ct);

    public static Task AnnounceDatasetAsync(this LlmOpsDb db, DatasetVersion version, Dataset dataset, DateTimeOffset now, CancellationToken ct) =>
        db.AnnounceAsync(WebhookEvents.DatasetVersionCreated, $"{dataset.Name}/{version.Number}", new
        {
            dataset.Name, version = version.Number, kind = dataset.Kind, version.TrainRows, version.HeldOutRows, version.QuarantinedRows, digest = version.ArtifactDigest, version.SizeBytes, version.CreatedBy, href = $"/datasets/{dataset.Name}/{version.Number}",
        }, now, ct);
}
