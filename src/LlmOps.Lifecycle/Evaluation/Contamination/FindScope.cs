using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation.Contamination;

/// <summary>Which rows were measured on, and which a model learned from, ancestors included.</summary>
internal static class FindScope
{
    private const int MostAncestors = 50;
    private const string Train = "train";

    public static async Task<ContaminationScope> OfRunAsync(LlmOpsDb db, EvaluationRun run, CancellationToken ct)
    {
        var version = await db.ModelVersions.AsNoTracking().SingleAsync(v => v.Id == run.VersionId, ct);
        var unknown = new List<string>();
        var sets = run.SuiteVersionId is { } suite ? await OfSuiteAsync(db, await db.SuiteVersions.AsNoTracking().SingleAsync(s => s.Id == suite, ct), unknown, ct) : await OfStageAsync(db, run, unknown, ct);
        if (sets.Count + unknown.Count == 0)
            unknown.Add("the rows of this run, which come from no dataset");
        var training = await OfVersionAsync(db, version, unknown, ct);
        return new(sets, training, unknown);
    }

    /// <param name="sets">What is asked about: a dataset's held-out rows, or those of a suite.</param>
    /// <param name="version">Null asks about every dataset that any version was trained on.</param>
    public static async Task<ContaminationScope> OfAsync(LlmOpsDb db, IReadOnlyList<EvaluationSet> sets, ModelVersion? version, List<string> unknown, CancellationToken ct) =>
        new(sets, version is not null ? await OfVersionAsync(db, version, unknown, ct) : await OfAllAsync(db, unknown, ct), unknown);

    public static async Task<EvaluationSet> OfDatasetAsync(LlmOpsDb db, string key, CancellationToken ct) => Set(await db.DatasetVersions.GetAsync(key, ct), "held-out", 0);

    public static async Task<IReadOnlyList<EvaluationSet>> OfSuiteAsync(LlmOpsDb db, SuiteVersion suite, List<string> unknown, CancellationToken ct)
    {
        var sets = new List<EvaluationSet>();
        var name = await db.EvaluationSuites.AsNoTracking().Where(s => s.Id == suite.SuiteId).Select(s => s.Name).SingleAsync(ct);
        foreach (var task in SuiteDocument.Parse(suite.Yaml).Tasks)
            if (task.Dataset is null)
                sets.Add(Inline($"task {task.Name} of {name}/{suite.Number}", task));
            else if (await FindAsync(db, task.Dataset, ct) is { } dataset)
                sets.Add(Set(dataset, task.Split, task.Limit));
            else
                unknown.Add($"{task.Dataset}, which is not here any more");
        // Two tasks on the same rows are one question; the larger part of them decides.
        return [.. sets.GroupBy(s => s.Digest).Select(g => g.MaxBy(s => s.Limit == 0 ? int.MaxValue : s.Limit)!)];
    }

    private static async Task<IReadOnlyList<EvaluationSet>> OfStageAsync(LlmOpsDb db, EvaluationRun run, List<string> unknown, CancellationToken ct)
    {
        var (sets, limit) = (new List<EvaluationSet>(), RunDetail.MaxRows(run.DatasetsJson));
        foreach (var key in RunDetail.Datasets(run.DatasetsJson))
            if (await FindAsync(db, key, ct) is { } dataset)
                sets.Add(Set(dataset, "held-out", limit));
            else
                unknown.Add($"{key}, which is not here any more");
        return sets;
    }

    /// <summary>Every dataset that the version or one of its ancestors was trained on.</summary>
    private static async Task<IReadOnlyList<TrainingSet>> OfVersionAsync(LlmOpsDb db, ModelVersion version, List<string> unknown, CancellationToken ct)
    {
        var keys = new HashSet<string>(StringComparer.Ordinal);
        // A version that says nothing about its data, an imported base for example, may have seen anything: it is never the same as a clean one.
        ModelVersion? at = version;
        for (var i = 0; at is not null; i++)
        {
            var named = Named(at.TrainedOn);
            keys.UnionWith(named);
            if (named.Length == 0 || i == MostAncestors)
                unknown.Add($"the data of {Generation(i)}, which {(named.Length == 0 ? "is not recorded" : "ends the search")}");
            if (at.ParentVersionId is not { } parent || i == MostAncestors)
                break;
            at = await db.ModelVersions.AsNoTracking().SingleOrDefaultAsync(v => v.Id == parent, ct);
            if (at is null)
                unknown.Add($"the data of {Generation(i + 1)}, which is not here any more");
        }
        return await SetsAsync(db, keys, unknown, ct);
    }

    private static async Task<IReadOnlyList<TrainingSet>> OfAllAsync(LlmOpsDb db, List<string> unknown, CancellationToken ct) =>
        await SetsAsync(db, (await db.ModelVersions.AsNoTracking().Where(v => v.TrainedOn != "").Select(v => v.TrainedOn).Distinct().ToListAsync(ct)).SelectMany(Named), unknown, ct);

    private static async Task<IReadOnlyList<TrainingSet>> SetsAsync(LlmOpsDb db, IEnumerable<string> keys, List<string> unknown, CancellationToken ct)
    {
        var sets = new List<TrainingSet>();
        foreach (var key in keys.Distinct().Order(StringComparer.Ordinal))
            if (await FindAsync(db, key, ct) is { } dataset)
                sets.Add(new(dataset.KeyText(), dataset.ArtifactDigest) { File = new(dataset.ArtifactDigest, ImportDataset.TrainFile, dataset.Dataset!.Kind, dataset.SizeBytes) });
            else
                unknown.Add($"the training data {key}, which is not here");
        return sets;
    }

    private static EvaluationSet Set(DatasetVersion dataset, string split, int limit) => split == Train
        ? new(dataset.KeyText() + " " + Train, TrainDigest(dataset.ArtifactDigest), limit) { File = new(dataset.ArtifactDigest, ImportDataset.TrainFile, dataset.Dataset!.Kind, dataset.SizeBytes) }
        : new(dataset.KeyText(), dataset.ArtifactDigest, limit) { File = new(dataset.ArtifactDigest, ImportDataset.HeldOutFile, dataset.Dataset!.Kind, dataset.SizeBytes) };

    /// <summary>The digest of a dataset version stands for its held-out rows; this one for measuring on its train split.</summary>
    public static string TrainDigest(string artifact) => $"{Train}:{artifact}";

    /// <summary>The same texts are the same rows, in whatever suite and under whatever field names.</summary>
    private static EvaluationSet Inline(string name, SuiteTask task)
    {
        InlineRow[] rows = [.. task.Rows.Select(r => JsonSerializer.SerializeToElement(r)).Select((r, i) => new InlineRow(RowTexts.OfInline(task, r, i), RowKeys.Of(r)))];
        var content = Json.Write(rows.Select(r => new { r.Texts.Text, r.Texts.Passages, r.Key }));
        return new(name, "rows:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content))), task.Limit) { Inline = rows };
    }

    private static async Task<DatasetVersion?> FindAsync(LlmOpsDb db, string key, CancellationToken ct)
    {
        var parsed = VersionKey.Parse(key);
        return await db.DatasetVersions.AsNoTracking().Include(v => v.Dataset).SingleOrDefaultAsync(v => v.Dataset!.Name == parsed.Name && v.Number == parsed.Number, ct);
    }

    private static string Generation(int i) => i == 0 ? "the version itself" : $"its ancestor {i} generation{(i == 1 ? "" : "s")} back";

    public static string[] Named(string trainedOn) => trainedOn.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
