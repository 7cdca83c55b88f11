using LlmOps.Engines.Evaluation.Contamination;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation.Contamination;

/// <param name="Kind">"exact", "near" or "contained"; anything else is all.</param>
/// <param name="Training">Only rows found in this training set.</param>
public sealed record FoundFilter(string? Kind = null, string? Training = null, string? Search = null);

/// <summary>A report of the ledger, seen from a dataset.</summary>
/// <param name="Versions">Model versions that were trained on the training set.</param>
public sealed record LedgerEntry(Guid Id, string Evaluation, string Training, int Rows, int ExactRows, int NearRows, DateTimeOffset At, IReadOnlyList<string> Versions);

/// <param name="Measured">The dataset's held-out rows (or its train rows, measured on) against training sets.</param>
/// <param name="Trained">What is measured elsewhere and is in the dataset's train rows.</param>
public sealed record DatasetContamination(IReadOnlyList<LedgerEntry> Measured, IReadOnlyList<LedgerEntry> Trained);

/// <summary>What the ledger says. It compares nothing: a pair that is not in it is said to be unchecked.</summary>
public sealed class ReadContamination(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<ContaminationStatement> OfRunAsync(Guid runId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await OfRunAsync(db, await db.EvaluationRuns.AsNoTracking().SingleOrDefaultAsync(r => r.Id == runId, ct) ?? throw LlmOpsException.NotFound("Evaluation run", runId), ct);
    }

    public async Task<ContaminationStatement> OfQuestionAsync(ContaminationQuestion question, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await StateAsync(db, await ScopeAsync(db, question, ct), null, ct);
    }

    public async Task<Window<FoundRow>> RowsAsync(Guid runId, FoundFilter filter, int skip, int take, CancellationToken ct = default) => Page((await OfRunAsync(runId, ct)).Found, filter, skip, take);

    /// <summary>The rows of one report.</summary>
    public async Task<Window<FoundRow>> ReportRowsAsync(Guid reportId, FoundFilter filter, int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var report = await db.ContaminationReports.AsNoTracking().SingleOrDefaultAsync(r => r.Id == reportId, ct) ?? throw LlmOpsException.NotFound("Contamination report", reportId);
        return Page([.. LedgerDetail.Of(report).Found.Select(f => new FoundRow(report.EvaluationDataset, report.TrainingDataset, f))], filter, skip, take);
    }

    public async Task<DatasetContamination> OfDatasetAsync(string key, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var digest = (await db.DatasetVersions.GetAsync(key, ct)).ArtifactDigest;
        var train = FindScope.TrainDigest(digest);
        var reports = await db.ContaminationReports.AsNoTracking().Where(r => r.EvaluationDatasetDigest == digest || r.EvaluationDatasetDigest == train || r.TrainingDatasetDigest == digest)
            .Select(r => new { r.Id, r.EvaluationDatasetDigest, r.TrainingDatasetDigest, r.EvaluationDataset, r.TrainingDataset, r.Rows, r.ExactRows, r.NearRows, r.At }).ToListAsync(ct);
        var versions = await db.ModelVersions.AsNoTracking().Where(v => v.TrainedOn != "").Select(v => new { v.Model!.Name, v.Number, v.TrainedOn }).ToListAsync(ct);
        var trainedOn = versions.SelectMany(v => FindScope.Named(v.TrainedOn).Distinct().Select(d => (Dataset: d, Version: $"{v.Name}/{v.Number}"))).ToLookup(v => v.Dataset, v => v.Version);
        var entries = reports.OrderByDescending(r => r.ExactRows + r.NearRows).ThenBy(r => r.TrainingDataset, StringComparer.Ordinal).ThenBy(r => r.EvaluationDataset, StringComparer.Ordinal)
            .Select(r => (Report: r, Entry: new LedgerEntry(r.Id, r.EvaluationDataset, r.TrainingDataset, r.Rows, r.ExactRows, r.NearRows, r.At, [.. trainedOn[r.TrainingDataset].Order(StringComparer.Ordinal)]))).ToList();
        return new([.. entries.Where(e => e.Report.EvaluationDatasetDigest == digest || e.Report.EvaluationDatasetDigest == train).Select(e => e.Entry)],
            [.. entries.Where(e => e.Report.TrainingDatasetDigest == digest && e.Report.EvaluationDatasetDigest != digest && e.Report.EvaluationDatasetDigest != train).Select(e => e.Entry)]);
    }

    internal static async Task<ContaminationStatement> OfRunAsync(LlmOpsDb db, EvaluationRun run, CancellationToken ct) => await StateAsync(db, await FindScope.OfRunAsync(db, run, ct), run.Id, ct);

    internal static async Task<ContaminationScope> ScopeAsync(LlmOpsDb db, ContaminationQuestion question, CancellationToken ct)
    {
        var unknown = new List<string>();
        var version = question.Version is { Length: > 0 } key ? await db.ModelVersions.GetAsync(VersionKey.Parse(key), ct) : null;
        var sets = (question.Dataset, question.Suite) switch
        {
            ({ Length: > 0 } dataset, null or "") => [await FindScope.OfDatasetAsync(db, dataset, ct)],
            (null or "", { Length: > 0 } suite) => await FindScope.OfSuiteAsync(db, await db.GetSuiteAsync(suite, ct), unknown, ct),
            _ => throw LlmOpsException.Invalid("Name either a dataset or a suite whose rows are looked for in the training data."),
        };
        var scope = await FindScope.OfAsync(db, sets, version, unknown, ct);
        if (version is null && scope.Training.Count == 0)
            unknown.Add("any training data, because no version records what it was trained on");
        return scope;
    }

    private static async Task<ContaminationStatement> StateAsync(LlmOpsDb db, ContaminationScope scope, Guid? runId, CancellationToken ct)
    {
        var known = await LedgerReports.FindAsync(db, scope, ct);
        var (pairs, missing, found) = (new List<ComparedPair>(), new List<string>(), new List<FoundRow>());
        int rows = 0, exact = 0, near = 0, notMeasured = 0, unlisted = 0;
        foreach (var set in scope.Evaluation)
        {
            var reports = scope.Training.Select(t => (Training: t, Report: known.GetValueOrDefault((set.Digest, t.Digest)))).ToList();
            pairs.AddRange(reports.Select(r => Pair(set, r.Training, r.Report)));
            missing.AddRange(reports.Where(r => r.Report is null).Select(r => $"{set.Name} with {r.Training.Name}{Size(set, r.Training)}"));
            if (reports.FirstOrDefault(r => r.Report is not null).Report is not { } any)
                continue;
            rows += any.Rows;
            if (LedgerDetail.Of(any).BlankRows is > 0 and var blank)
                missing.Add($"{blank} rows of {set.Name}, which hold no text");
            var listed = reports.Where(r => r.Report is not null).SelectMany(r => LedgerDetail.Of(r.Report!).Found.Select(f => new FoundRow(set.Name, r.Training.Name, f))).ToList();
            var whole = reports.TrueForAll(r => r.Report is null || LedgerDetail.Of(r.Report).IsWhole);
            // Which rows a run measured is known from its scores. Without the whole list, or with a run that measured everything, all count.
            var measured = runId is { } id && listed.Count > 0 ? await MeasuredAsync(db, id, listed, ct) : null;
            var counted = measured is not null && whole && set.Limit > 0 && set.Limit < any.Rows ? listed.Where(f => f.Row.Keys.Any(measured.Contains)).ToList() : listed;
            counted = measured is null ? counted : counted.ConvertAll(f => f with { Key = f.Row.Keys.FirstOrDefault(measured.Contains) ?? f.Key });
            found.AddRange(counted);
            // A row in two training sets is one row, and as bad as the worse of them.
            var kinds = counted.GroupBy(f => f.Row.Row).Select(g => g.Max(f => f.Row.Kind)).ToList();
            var most = reports.Where(r => r.Report is not null).Max(r => r.Report!.ExactRows + r.Report.NearRows);
            var more = whole ? 0 : Math.Max(0, most - kinds.Count);
            exact += kinds.Count(k => k == ContaminationKind.Exact);
            near += kinds.Count(k => k != ContaminationKind.Exact) + more;
            unlisted += more;
            notMeasured += listed.Select(f => f.Row.Row).Distinct().Count() - kinds.Count;
        }
        return new(rows, exact, near, notMeasured, unlisted, pairs, found, [.. missing, .. scope.Unknown]);
    }

    private static async Task<HashSet<string>?> MeasuredAsync(LlmOpsDb db, Guid run, List<FoundRow> listed, CancellationToken ct)
    {
        var keys = listed.SelectMany(f => f.Row.Keys).Distinct().ToList();
        // A run whose scores are not there says nothing about which rows it measured.
        return await db.RowScores.AnyAsync(r => r.EvaluationRunId == run, ct)
            ? [.. await db.RowScores.Where(r => r.EvaluationRunId == run && keys.Contains(r.RowKey)).Select(r => r.RowKey).Distinct().ToListAsync(ct)] : null;
    }

    private static ComparedPair Pair(EvaluationSet set, TrainingSet training, ContaminationReport? report) => report is null ? new(set.Name, training.Name, null, 0, 0, 0, 0, 0, 0, null)
        : LedgerDetail.Of(report) is var detail ? new(set.Name, training.Name, report.Id, report.Rows, report.ExactRows, report.NearRows, detail.BlankRows, detail.ShortRows, detail.TrainingRows, report.At) : throw new System.Diagnostics.UnreachableException();

    private static string Size(EvaluationSet set, TrainingSet training) => set.SizeBytes + training.File.SizeBytes > CheckContamination.MostBytesAside ? ", too large to be compared while an evaluation ends: run the stage check-contamination" : "";

    private static Window<FoundRow> Page(IReadOnlyList<FoundRow> rows, FoundFilter filter, int skip, int take)
    {
        var kind = Enum.TryParse<ContaminationKind>(filter.Kind, ignoreCase: true, out var parsed) ? parsed : (ContaminationKind?)null;
        bool Has(string text) => text.Contains(filter.Search!.Trim(), StringComparison.OrdinalIgnoreCase);
        var kept = rows.Where(r => (kind is null || r.Row.Kind == kind) && (filter.Training is not { Length: > 0 } training || r.Training == training)
            && (string.IsNullOrWhiteSpace(filter.Search) || Has(r.Row.Text) || Has(r.Row.TrainingText) || r.Row.Keys.Any(Has))).OrderByDescending(r => r.Row.Kind).ThenByDescending(r => r.Row.Similarity).ThenBy(r => r.Evaluation, StringComparer.Ordinal).ThenBy(r => r.Row.Row).ToList();
        return new([.. kept.Skip(skip).Take(Math.Clamp(take, 1, Window<FoundRow>.Largest))], kept.Count);
    }
}
