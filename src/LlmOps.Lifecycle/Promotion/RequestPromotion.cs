using System.Security.Cryptography;
using System.Text;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>What the approver signs. Everything in it is read from rows; the digest of its JSON is fixed when the request is made.</summary>
public sealed record Evidence(string Version, string VersionDigest, string Variant, string VariantDigest, long VariantBytes, string TrainedOn, string Licence,
    bool? ParityPassed, Guid? EvaluationRunId, IReadOnlyList<EvidenceMetric> Metrics, string? GateVerdict, IReadOnlyList<RuleResult> GateReasons, string? Champion);

public sealed record EvidenceMetric(string Name, double Value, double Low, double High, int N, string Unit, double? ChampionValue);

public sealed class RequestPromotion(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public async Task<ApprovalRequest> RequestAsync(string version, string variant, string alias, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.WriteModels);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        var request = await PrepareAsync(db, new ApproveParameters { Version = version, Variant = variant, Alias = alias }, actor, null, now, ct);
        db.Approvals.Add(request);
        db.Record(actor, "request-promotion", "approval", request.Id, now, after: new { version, variant, alias, request.EvidenceDigest });
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Approval, request.Id);
        return request;
    }

    internal static async Task<ApprovalRequest> PrepareAsync(LlmOpsDb db, ApproveParameters parameters, Actor actor, Guid? stageRunId, DateTimeOffset now, CancellationToken ct)
    {
        var version = await db.ModelVersions.GetAsync(VersionKey.Parse(parameters.Version), ct);
        var variant = await db.ModelVariants.AsNoTracking().SingleOrDefaultAsync(v => v.VersionId == version.Id && v.Name == parameters.Variant, ct)
            ?? throw LlmOpsException.NotFound($"Variant of {parameters.Version}", parameters.Variant);
        var aliasName = AliasName.Parse(parameters.Alias);
        var holder = await db.Aliases.AsNoTracking().SingleOrDefaultAsync(a => a.ModelId == version.ModelId && a.Name == aliasName, ct);
        var evidence = Json.Write(await GatherAsync(db, version, variant, holder, ct));
        return new ApprovalRequest
        {
            ModelId = version.ModelId, VersionId = version.Id, VariantName = variant.Name, AliasName = aliasName, ExpectedVersionId = holder?.VersionId,
            State = ApprovalState.WaitingForApproval, EvidenceJson = evidence, EvidenceDigest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(evidence))),
            RequestedById = actor.Id, RequestedBy = actor.Name, CreatedAt = now, ExpiresAt = now.AddDays(parameters.ExpiresInDays), StageRunId = stageRunId,
        };
    }

    private static async Task<Evidence> GatherAsync(LlmOpsDb db, ModelVersion version, ModelVariant variant, Alias? holder, CancellationToken ct)
    {
        var run = await db.EvaluationRuns.AsNoTracking().Include(r => r.Metrics)
            .Where(r => r.VersionId == version.Id && r.VariantName == variant.Name && r.State == Jobs.JobState.Succeeded).OrderByDescending(r => r.StartedAt).FirstOrDefaultAsync(ct);
        var gate = await db.GateDecisions.AsNoTracking().Where(g => g.VersionId == version.Id && g.VariantName == variant.Name).OrderByDescending(g => g.At).FirstOrDefaultAsync(ct);
        var champion = new Dictionary<string, double>();
        string? championKey = null;
        if (holder is not null)
        {
            championKey = (await db.ModelVersions.AsNoTracking().Include(v => v.Model).SingleAsync(v => v.Id == holder.VersionId, ct)).Key().ToString();
            var championRun = await db.EvaluationRuns.AsNoTracking().Include(r => r.Metrics)
                .Where(r => r.VersionId == holder.VersionId && r.VariantName == holder.VariantName && r.State == Jobs.JobState.Succeeded).OrderByDescending(r => r.StartedAt).FirstOrDefaultAsync(ct);
            champion = championRun?.Metrics.ToDictionary(m => m.Name, m => m.Value) ?? champion;
        }
        return new Evidence(version.Key().ToString(), version.ArtifactDigest, variant.Name, variant.ArtifactDigest, variant.SizeBytes, version.TrainedOn, version.Licence,
            version.ParityPassed, run?.Id,
            [.. (run?.Metrics ?? []).OrderBy(m => m.Name, StringComparer.Ordinal).Select(m => new EvidenceMetric(m.Name, m.Value, m.Low, m.High, m.N, m.Unit, champion.TryGetValue(m.Name, out var c) ? c : null))],
            gate?.Verdict.ToString(), gate is null ? [] : Json.Read<List<RuleResult>>(gate.ReasonsJson), championKey);
    }
}
