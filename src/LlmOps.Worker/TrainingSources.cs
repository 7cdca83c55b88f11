using LlmOps.Engines.Text;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Registry;

namespace LlmOps.Worker;

/// <summary>A version that a training goes on from, its checkpoint, and the dataset version that it learns.</summary>
public record TrainingSource(ModelVersion Version, string Checkpoint, DatasetVersion Dataset)
{
    /// <summary>Versions beside this one whose knowledge goes into the result.</summary>
    public IReadOnlyList<ModelVersion> Teachers { get; init; } = [];

    /// <summary>Dataset versions behind the result: a leak into the version or into a teacher is one into what comes of them.</summary>
    public string TrainedOn => string.Join(',', new[] { Version.TrainedOn }.Concat(Teachers.Select(t => t.TrainedOn)).Append(Dataset.KeyText())
        .SelectMany(keys => keys.Split(',', StringSplitOptions.RemoveEmptyEntries)).Distinct());
}

/// <summary>The same with the rows of both splits.</summary>
public sealed record TrainingSource<T>(TrainingSource From, IReadOnlyList<T> Rows, IReadOnlyList<T> HeldOut) : TrainingSource(From);

/// <summary>Reads what a training goes on from.</summary>
public sealed class TrainingSources(DatasetFiles files, ArtifactStore artifacts)
{
    private static readonly Dictionary<Type, DatasetKind> Kinds = new()
    {
        [typeof(CorpusText)] = DatasetKind.Corpus, [typeof(PromptCompletion)] = DatasetKind.Instruction, [typeof(PreferenceExample)] = DatasetKind.Preference, [typeof(UnpairedExample)] = DatasetKind.Unpaired,
    };

    /// <summary>The version and the dataset version, which must hold rows of one of these kinds.</summary>
    public async Task<TrainingSource> FindAsync(JobContext job, string version, string dataset, CancellationToken ct, params DatasetKind[] kinds)
    {
        await using var db = await job.OpenDbAsync(ct);
        var from = await db.ModelVersions.GetAsync(VersionKey.Parse(version), ct);
        var data = await db.DatasetVersions.GetAsync(dataset, ct);
        if (!kinds.Contains(data.Dataset!.Kind))
            throw LlmOpsException.Invalid($"{dataset} holds {Word(data.Dataset.Kind)} rows; {job.Job.Kind} takes {string.Join(" or ", kinds.Select(Word))} rows. Name a dataset of that kind.");
        if (data.TrainRows == 0)
            throw LlmOpsException.Invalid($"{dataset} has no row to train on{(data.HeldOutRows > 0 ? $": its {data.HeldOutRows} rows are all held out" : "")}. Import more rows.");
        return new(from, await artifacts.FolderAsync(from.ArtifactDigest, ct), data);
    }

    /// <summary>The same with the rows, which all are of one kind.</summary>
    public async Task<TrainingSource<T>> ReadAsync<T>(JobContext job, string version, string dataset, CancellationToken ct) =>
        await RowsAsync<T>(await FindAsync(job, version, dataset, ct, Kinds[typeof(T)]), ct);

    public async Task<TrainingSource<T>> RowsAsync<T>(TrainingSource from, CancellationToken ct) =>
        new(from, await files.TrainAsync<T>(from.Dataset, ct), await files.HeldOutAsync<T>(from.Dataset, ct));

    /// <summary>The same with another version's knowledge in it, and that version's checkpoint.</summary>
    public async Task<(TrainingSource<T> Source, string Teacher)> WithTeacherAsync<T>(JobContext job, TrainingSource<T> student, string teacher, CancellationToken ct)
    {
        await using var db = await job.OpenDbAsync(ct);
        var teaches = await db.ModelVersions.GetAsync(VersionKey.Parse(teacher), ct);
        return (student with { Teachers = [teaches] }, await artifacts.FolderAsync(teaches.ArtifactDigest, ct));
    }

    private static string Word(DatasetKind kind) => kind.ToString().ToLowerInvariant();
}
