using LlmOps.Engines.Evaluation.Contamination;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation.Contamination;

/// <summary>
/// Fills the ledger: compares what was not compared yet, each pair of digests once. Rows and digests are frozen, so a report is true for ever and
/// it does not matter who asked, or how often the same job ran.
/// </summary>
public sealed class CheckContamination(IDbContextFactory<LlmOpsDb> dbs, ArtifactStore artifacts, ReadContamination read, TimeProvider time)
{
    /// <summary>What is compared while an evaluation ends, bytes of both datasets; more than that is a job of its own.</summary>
    public const long MostBytesAside = 256L << 20;
    private const int ExcerptCharacters = 400;

    /// <summary>Compares what a run needs and says what is known then.</summary>
    /// <param name="mostBytes">Pairs with more bytes are left unchecked.</param>
    public async Task<ContaminationStatement> OfRunAsync(Guid runId, long mostBytes = long.MaxValue, Action<double, string>? progress = null, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var run = await db.EvaluationRuns.AsNoTracking().SingleOrDefaultAsync(r => r.Id == runId, ct) ?? throw LlmOpsException.NotFound("Evaluation run", runId);
        await FillAsync(await FindScope.OfRunAsync(db, run, ct), mostBytes, progress, ct);
        return await read.OfRunAsync(runId, ct);
    }

    /// <summary>At the end of an evaluation: what is small enough is compared, and the rest is said to be unchecked. Runs of one evaluation need the same pairs, which are compared once.</summary>
    public async Task<IReadOnlyDictionary<Guid, ContaminationStatement>> OfRunsAsync(IEnumerable<Guid> runs, Action<double, string>? progress = null, CancellationToken ct = default)
    {
        var statements = new Dictionary<Guid, ContaminationStatement>();
        foreach (var run in runs)
            // The evaluation's own progress stays where it is: comparing is a small rest of it.
            statements[run] = await OfRunAsync(run, MostBytesAside, progress is null ? null : (_, pair) => progress(0.99, $"contamination: {pair}"), ct);
        return statements;
    }

    /// <summary>Compares the rows of a dataset or a suite with the training data of a version, or with all that was ever trained on.</summary>
    public async Task<ContaminationStatement> OfQuestionAsync(ContaminationQuestion question, Action<double, string>? progress = null, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        await FillAsync(await ReadContamination.ScopeAsync(db, question, ct), long.MaxValue, progress, ct);
        return await read.OfQuestionAsync(question, ct);
    }

    private async Task FillAsync(ContaminationScope scope, long mostBytes, Action<double, string>? progress, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var known = await LedgerReports.FindAsync(db, scope, ct);
        var open = scope.Pairs.Where(p => !known.ContainsKey((p.Evaluation.Digest, p.Training.Digest)) && p.Evaluation.SizeBytes + p.Training.File.SizeBytes <= mostBytes).ToList();
        foreach (var (i, (evaluation, training)) in open.Index())
        {
            progress?.Invoke((double)i / open.Count, $"{evaluation.Name} with {training.Name}");
            ContaminationReport report;
            try
            {
                report = await CompareAsync(evaluation, training, ct);
            }
            catch (LlmOpsException e) when (e.Code == ErrorCode.ResourceDoesNotExist)
            {
                // Rows that are gone cannot be compared: the pair stays unchecked, and is said to be.
                continue;
            }
            await KeepAsync(report, ct);
        }
    }

    private async Task<ContaminationReport> CompareAsync(EvaluationSet evaluation, TrainingSet training, CancellationToken ct)
    {
        var left = evaluation.File is null ? null : Path.Combine(await artifacts.FolderAsync(evaluation.File.Artifact, ct), evaluation.File.Name);
        var right = Path.Combine(await artifacts.FolderAsync(training.File.Artifact, ct), training.File.Name);
        IEnumerable<ContaminationRow> Rows(string path, DatasetKind kind) => File.ReadLines(path).Select((line, i) => RowTexts.OfDataset(kind, line, i));
        var findings = await Task.Run(() => ContaminationCheck.Run(left is null ? evaluation.Inline.Select(r => r.Texts) : Rows(left, evaluation.File!.Kind), () => Rows(right, training.File.Kind), ct: ct), ct);
        List<ContaminatedRow> listed = [.. findings.Found.OrderByDescending(f => f.Kind).ThenByDescending(f => f.Similarity).ThenBy(f => f.Row).Take(LedgerDetail.MostListed)];
        var mine = left is null ? [] : Lines(left, listed.Select(f => f.Row));
        var theirs = Lines(right, listed.Select(f => f.TrainingRow));
        string Text(ContaminatedRow f) => left is null ? evaluation.Inline[f.Row].Texts.Text : RowTexts.OfDataset(evaluation.File!.Kind, mine[f.Row], 0).Text;
        IReadOnlyList<string> Keys(ContaminatedRow f) => left is null ? [evaluation.Inline[f.Row].Key] : RowKeys.All(evaluation.File!.Kind, Json.Read<System.Text.Json.JsonElement>(mine[f.Row]));
        var detail = new LedgerDetail(LedgerDetail.CurrentRule, findings.BlankRows, findings.ShortRows, findings.TrainingRows, findings.Found.Count,
            [.. listed.Select(f => new LedgerRow(f.Row + 1, Keys(f), f.TrainingRow + 1, f.Kind, f.Similarity, f.TrainingRows, Excerpt(Text(f)), Excerpt(RowTexts.OfDataset(training.File.Kind, theirs[f.TrainingRow], 0).Text)))], findings.Candidates);
        return new()
        {
            EvaluationDatasetDigest = evaluation.Digest, TrainingDatasetDigest = training.Digest, EvaluationDataset = evaluation.Name, TrainingDataset = training.Name,
            Rows = findings.Rows, ExactRows = findings.ExactRows, NearRows = findings.NearRows, ReportJson = Json.Write(detail), At = time.GetUtcNow(),
        };
    }

    private async Task KeepAsync(ContaminationReport report, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        // What an older rule said is replaced in the same transaction.
        await using var transaction = await db.Database.BeginTransactionAsync(ct);
        await db.ContaminationReports.Where(r => r.EvaluationDatasetDigest == report.EvaluationDatasetDigest && r.TrainingDatasetDigest == report.TrainingDatasetDigest).ExecuteDeleteAsync(ct);
        db.ContaminationReports.Add(report);
        try
        {
            await db.SaveChangesAsync(ct);
            await transaction.CommitAsync(ct);
        }
        catch (DbUpdateException e) when (e.IsUniqueViolation())
        {
            // Somebody else compared the same rows meanwhile and found the same.
        }
    }

    private static Dictionary<int, string> Lines(string path, IEnumerable<int> numbers)
    {
        var wanted = numbers.ToHashSet();
        return wanted.Count == 0 ? [] : File.ReadLines(path).Index().Where(l => wanted.Contains(l.Index)).Take(wanted.Count).ToDictionary(l => l.Index, l => l.Item);
    }

    private static string Excerpt(string text) => text.Length <= ExcerptCharacters ? text : text[..(char.IsHighSurrogate(text[ExcerptCharacters - 1]) ? ExcerptCharacters - 1 : ExcerptCharacters)] + "…";
}
