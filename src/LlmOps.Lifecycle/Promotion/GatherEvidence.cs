using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>Reads the bundle that people sign from the rows as they are now: once for the request, and again before each signature.</summary>
public sealed class GatherEvidence(ReadVersion versions, ReadLineage lineage, CompareRuns compare)
{
    public const int Format = 2;

    /// <summary>The whole bundle, with effects against the champion.</summary>
    internal async Task<Evidence> GatherAsync(LlmOpsDb db, ModelVersion version, string variant, string alias, CancellationToken ct)
    {
        var evidence = await ReadAsync(db, version, variant, alias, Format, ct);
        var effects = new List<EvidenceEffect>();
        foreach (var run in evidence.Runs!.Where(r => r.ChampionRunId is { } champion && champion != r.RunId))
        {
            var comparison = await compare.CompareAsync(run.ChampionRunId!.Value, run.RunId, ct: ct);
            effects.AddRange(comparison.Metrics.OrderBy(m => m.Difference.Name, StringComparer.Ordinal).Select(m => new EvidenceEffect(m.Difference.Name, m.Difference.Value, m.Difference.Low, m.Difference.High,
                m.Difference.N, m.Difference.Unit, m.PValue, m.AdjustedPValue, m.Improved, m.Regressed) { Suite = run.Suite }));
        }
        return effects.Count > 0 ? evidence with { Effects = effects } : evidence;
    }

    /// <summary>What differs now from what the request froze, in words; empty when nothing does.</summary>
    internal async Task<IReadOnlyList<string>> ChangesAsync(LlmOpsDb db, ApprovalRequest request, CancellationToken ct)
    {
        if (CanonicalJson.Digest(request.EvidenceJson) != request.EvidenceDigest)
            return ["the stored bundle does not have the digest that was signed: somebody edited it"];
        var then = Json.Read<Evidence>(request.EvidenceJson);
        var version = await db.ModelVersions.AsNoTracking().Include(v => v.Model).SingleAsync(v => v.Id == request.VersionId, ct);
        if (!await db.ModelVariants.AnyAsync(v => v.VersionId == request.VersionId && v.Name == request.VariantName, ct))
            return [$"the variant {request.VariantName} is gone"];
        // Old bundles do not hold how often the alias had moved.
        if (then.Format == 0 && await db.AliasMoves.AnyAsync(m => m.ModelId == request.ModelId && m.Name == request.AliasName && m.At > request.CreatedAt, ct))
            return [$"'{request.AliasName}' moved, so the evidence compares with the wrong version"];
        var now = await ReadAsync(db, version, request.VariantName, request.AliasName, then.Format, ct);
        // Finished runs do not change, so neither does their difference: it is not resampled to look whether it is still the same.
        return EvidenceChanges.Between(then, now with { Effects = then.Effects });
    }

    private async Task<Evidence> ReadAsync(LlmOpsDb db, ModelVersion version, string variantName, string alias, int format, CancellationToken ct)
    {
        var variant = await db.ModelVariants.AsNoTracking().SingleOrDefaultAsync(v => v.VersionId == version.Id && v.Name == variantName, ct)
            ?? throw LlmOpsException.NotFound($"Variant of {version.Key()}", variantName);
        var holder = await db.Aliases.AsNoTracking().SingleOrDefaultAsync(a => a.ModelId == version.ModelId && a.Name == alias, ct);
        var champion = holder is null ? null : await db.ModelVersions.AsNoTracking().Include(v => v.Model).SingleAsync(v => v.Id == holder.VersionId, ct);
        var runs = await NewestRunsAsync(db, version.Id, variantName, ct);
        var newest = runs.Count > 0 ? runs[0] : null;
        var championRuns = holder?.VariantName is { } held ? await NewestRunsAsync(db, holder.VersionId, held, ct) : [];
        var gate = await db.GateDecisions.AsNoTracking().Where(g => g.VersionId == version.Id && g.VariantName == variantName).OrderByDescending(g => g.At).ThenByDescending(g => g.Id).FirstOrDefaultAsync(ct);
        var policy = gate?.PolicyId is { } policyId ? await db.GatePolicies.AsNoTracking().Where(p => p.Id == policyId).Select(p => p.Digest).SingleOrDefaultAsync(ct) : null;
        var detail = await versions.GetAsync(version.Key(), ct);
        var origin = await lineage.OfAsync(detail, ct);
        var model = version.Model!;
        var measured = await versions.MeasurementsAsync(detail, differences: false, ct);
        var evidence = new Evidence(version.Key().ToString(), version.ArtifactDigest, variant.Name, variant.ArtifactDigest, variant.SizeBytes, version.TrainedOn, version.Licence, version.ParityPassed, newest?.Id,
            [], gate?.Verdict.ToString(), gate is null ? [] : Json.Read<List<RuleResult>>(gate.ReasonsJson), champion?.Key().ToString())
        {
            Format = Format, Alias = alias, ChampionVariant = holder?.VariantName, AliasRevision = holder?.Revision ?? 0,
            Lineage = await ParentsAsync(db, origin, ct), Datasets = [.. origin.Datasets.Select(d => new EvidenceInput(d.Key, d.Digest))],
            ParityReportDigest = version.ParityJson is null ? null : CanonicalJson.Digest(version.ParityJson), VariantReportDigest = CanonicalJson.Digest(variant.ReportJson),
            GateDecisionId = gate?.Id, PolicyDigest = gate is null ? null : policy ?? CanonicalJson.Digest(gate.PolicyJson), Environment = ModelEnvironment.For(model, alias),
        };
        string CardDigest(Measurements of) => CanonicalJson.Digest(ModelCard.Write(detail, model.Description, of, origin));
        if (format < Format)
            return evidence with { ModelCardDigest = CardDigest(measured), ChampionRunId = (championRuns.Count > 0 ? championRuns[0].Id : null), Metrics = Metrics(runs.Take(1), championRuns, named: false) };
        var author = version.ProducedByJobId is { } job ? await db.Jobs.AsNoTracking().Where(j => j.Id == job).Select(j => new { j.CreatedById, j.CreatedBy }).SingleOrDefaultAsync(ct) : null;
        return evidence with
        {
            AuthorId = author?.CreatedById, Author = author?.CreatedBy, Metrics = Metrics(runs, championRuns, named: true), ChampionRunId = OnSameSuite(championRuns, newest)?.Id,
            Runs = [.. runs.OrderBy(r => r.Suite!.Name, StringComparer.Ordinal).Select(r => new EvidenceRun(r.Suite!.Name, r.Id, OnSameSuite(championRuns, r)?.Id, CanonicalJson.Digest(r.DatasetsJson)))],
            // Of this variant only: measuring another one changes the page of the card, and nothing that is signed here.
            ModelCardDigest = CardDigest(measured with { Variants = [.. measured.Variants.Where(v => v.Variant == variantName)] }),
        };
    }

    private static EvaluationRun? OnSameSuite(IReadOnlyList<EvaluationRun> champion, EvaluationRun? run) => run is null ? null : champion.FirstOrDefault(c => c.SuiteId == run.SuiteId);

    private static IReadOnlyList<EvidenceMetric> Metrics(IEnumerable<EvaluationRun> runs, List<EvaluationRun> champion, bool named) =>
        [.. from run in runs
            // Older bundles compared with the champion's newest run, whatever it measured.
            let old = (named ? OnSameSuite(champion, run) : champion.Count > 0 ? champion[0] : null)?.Metrics.ToDictionary(m => m.Name, m => m.Value) ?? []
            from m in run.Metrics
            orderby named ? run.Suite!.Name : "", m.Name
            select new EvidenceMetric(m.Name, m.Value, m.Low, m.High, m.N, m.Unit, old.TryGetValue(m.Name, out var c) ? c : null) { Suite = named ? run.Suite!.Name : null }];

    /// <summary>The newest finished run of each suite, newest first.</summary>
    private static async Task<List<EvaluationRun>> NewestRunsAsync(LlmOpsDb db, Guid versionId, string variant, CancellationToken ct)
    {
        var runs = await db.EvaluationRuns.AsNoTracking().Include(r => r.Suite).Include(r => r.Metrics).Where(r => r.VersionId == versionId && r.VariantName == variant && r.State == JobState.Succeeded)
            .OrderByDescending(r => r.StartedAt).ThenByDescending(r => r.Id).ToListAsync(ct);
        return [.. runs.DistinctBy(r => r.SuiteId)];
    }

    private static async Task<IReadOnlyList<EvidenceInput>> ParentsAsync(LlmOpsDb db, Lineage lineage, CancellationToken ct)
    {
        Guid[] ids = [.. lineage.Parents.Select(p => p.Id)];
        var digests = await db.ModelVersions.AsNoTracking().Where(v => ids.Contains(v.Id)).ToDictionaryAsync(v => v.Id, v => v.ArtifactDigest, ct);
        return [.. lineage.Parents.Select(p => new EvidenceInput($"{p.Model}/{p.Number}", digests[p.Id]))];
    }
}
