using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>What the contamination ledger says about a run's datasets and everything its version was trained on, ancestors included.</summary>
internal static class FindContamination
{
    private const int MostAncestors = 50;

    public static async Task<ContaminationFinding?> FindAsync(LlmOpsDb db, ModelVersion version, EvaluationRun run, CancellationToken ct)
    {
        var training = new HashSet<string>(StringComparer.Ordinal);
        // A version that says nothing about its data, an imported base for example, may have seen anything: it is never the same as a clean one.
        var unknown = new List<string>();
        ModelVersion? at = version;
        for (var i = 0; at is not null; i++)
        {
            var named = at.TrainedOn.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            training.UnionWith(named);
            if (named.Length == 0 || i == MostAncestors)
                unknown.Add($"the data of {(i == 0 ? "the version itself" : $"its ancestor {i} generation{(i == 1 ? "" : "s")} back")}, which {(named.Length == 0 ? "is not recorded" : "ends the search")}");
            var parent = at.ParentVersionId;
            at = parent is null || i == MostAncestors ? null : await db.ModelVersions.AsNoTracking().SingleOrDefaultAsync(v => v.Id == parent, ct);
        }
        var evaluated = RunDetail.Datasets(run.DatasetsJson);
        if (evaluated.Count == 0)
            return new(0, ["the rows of this run, which come from no dataset"]);
        if (training.Count == 0)
            return null;
        var (left, right) = (await DigestsAsync(db, evaluated, ct), await DigestsAsync(db, training, ct));
        var (evaluationDigests, trainingDigests) = (left.Values.ToList(), right.Values.ToList());
        var reports = await db.ContaminationReports.AsNoTracking().Where(r => evaluationDigests.Contains(r.EvaluationDatasetDigest) && trainingDigests.Contains(r.TrainingDatasetDigest))
            .ToDictionaryAsync(r => (r.EvaluationDatasetDigest, r.TrainingDatasetDigest), ct);
        var pairs = evaluated.SelectMany(e => training.Select(t => (Evaluation: e, Training: t))).ToList();
        ContaminationReport? Of((string Evaluation, string Training) pair) =>
            left.TryGetValue(pair.Evaluation, out var e) && right.TryGetValue(pair.Training, out var t) ? reports.GetValueOrDefault((e, t)) : null;
        // A row found in two training sets is one row: of each evaluation set the worst report counts, so the figure is never too high.
        var rows = pairs.Select(Of).OfType<ContaminationReport>().GroupBy(r => r.EvaluationDatasetDigest).Sum(g => g.Max(r => r.ExactRows + r.NearRows));
        return new(rows, [.. pairs.Where(p => Of(p) is null).Select(p => $"{p.Evaluation} with {p.Training}"), .. unknown]);
    }

    private static async Task<Dictionary<string, string>> DigestsAsync(LlmOpsDb db, IReadOnlyCollection<string> keys, CancellationToken ct)
    {
        var names = keys.Select(k => k.Split('/')[0]).Distinct().ToList();
        var found = await db.DatasetVersions.AsNoTracking().Where(v => names.Contains(v.Dataset!.Name)).Select(v => new { v.Dataset!.Name, v.Number, v.ArtifactDigest }).ToListAsync(ct);
        return found.Select(v => (Key: $"{v.Name}/{v.Number}", v.ArtifactDigest)).Where(v => keys.Contains(v.Key)).ToDictionary(v => v.Key, v => v.ArtifactDigest);
    }
}
