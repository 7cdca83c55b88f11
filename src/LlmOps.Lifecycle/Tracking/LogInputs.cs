using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking;

public sealed record DatasetInput(string? Name, string? Digest, string? SourceType, string? Source, string? Schema, string? Profile, IReadOnlyList<KeyValue> Tags);

public sealed record ModelOutput(Guid ModelId, long Step);

/// <summary>Says which data and models a run has read, and which models it has made. Saying it again changes nothing.</summary>
public sealed class LogInputs(WriteGroups groups)
{
    public Task InputsAsync(Guid runId, IReadOnlyList<DatasetInput> datasets, IReadOnlyList<Guid> models, CancellationToken ct = default)
    {
        if (datasets.Count > TrackingLimits.DatasetsPerRequest)
            TrackingLimits.EnsureCount(datasets.Count, TrackingLimits.DatasetsPerRequest, "datasets");
        foreach (var dataset in datasets)
            EnsureValid(dataset);
        return groups.WriteAsync(async db =>
        {
            var run = await ChangeRun.ActiveAsync(db, runId, ct);
            foreach (var dataset in datasets)
                await AddAsync(db, run, dataset);
            await AddModelsAsync(db, runId, [.. models.Select(m => new ModelOutput(m, 0))], isOutput: false);
            await db.SaveChangesAsync();
            return true;
        }, ct);
    }

    public Task OutputsAsync(Guid runId, IReadOnlyList<ModelOutput> models, CancellationToken ct = default) => groups.WriteAsync(async db =>
    {
        await ChangeRun.ActiveAsync(db, runId, ct);
        await AddModelsAsync(db, runId, models, isOutput: true);
        await db.SaveChangesAsync();
        return true;
    }, ct);

    private static void EnsureValid(DatasetInput dataset)
    {
        TrackingLimits.EnsureText(TrackingKeys.Required(dataset.Name, "dataset.name"), "Dataset name", TrackingLimits.DatasetName);
        TrackingLimits.EnsureText(TrackingKeys.Required(dataset.Digest, "dataset.digest"), "Dataset digest", TrackingLimits.DatasetDigest);
        TrackingLimits.EnsureText(TrackingKeys.Required(dataset.SourceType, "dataset.source_type"), "Dataset source type", TrackingLimits.DatasetName);
        TrackingLimits.EnsureText(TrackingKeys.Required(dataset.Source, "dataset.source"), "Dataset source", TrackingLimits.DatasetSource);
        TrackingLimits.EnsureText(dataset.Schema, "Dataset schema", TrackingLimits.DatasetSchema);
        TrackingLimits.EnsureText(dataset.Profile, "Dataset profile", TrackingLimits.DatasetProfile);
        foreach (var (key, value) in dataset.Tags)
        {
            TrackingLimits.EnsureText(TrackingKeys.Required(key, "tags.key"), "Input tag key", TrackingLimits.InputTagKey);
            TrackingLimits.EnsureText(value, "Input tag value", TrackingLimits.InputTagValue);
        }
    }

    private static async Task AddAsync(LlmOpsDb db, Run run, DatasetInput input)
    {
        var dataset = db.LoggedDatasets.Local.FirstOrDefault(d => d.ExperimentId == run.ExperimentId && d.Name == input.Name && d.Digest == input.Digest)
            ?? await db.LoggedDatasets.SingleOrDefaultAsync(d => d.ExperimentId == run.ExperimentId && d.Name == input.Name && d.Digest == input.Digest);
        if (dataset is null)
            db.LoggedDatasets.Add(dataset = new LoggedDataset
            {
                ExperimentId = run.ExperimentId, Name = input.Name!, Digest = input.Digest!, SourceType = input.SourceType!, Source = input.Source!, Schema = input.Schema, Profile = input.Profile,
            });
        var read = db.RunDatasets.Local.FirstOrDefault(d => d.RunId == run.Id && d.DatasetId == dataset.Id) ?? await db.RunDatasets.SingleOrDefaultAsync(d => d.RunId == run.Id && d.DatasetId == dataset.Id);
        if (read is not null)
            return;
        var tags = input.Tags.GroupBy(t => t.Key).Select(g => g.Last()).ToList();
        db.RunDatasets.Add(new RunDataset { RunId = run.Id, DatasetId = dataset.Id, Context = tags.FirstOrDefault(t => t.Key == RunDataset.ContextTag)?.Value, TagsJson = Json.Write(tags) });
    }

    private static async Task AddModelsAsync(LlmOpsDb db, Guid runId, IReadOnlyList<ModelOutput> models, bool isOutput)
    {
        Guid[] ids = [.. models.Select(m => m.ModelId).Distinct()];
        var known = await db.LoggedModels.Where(m => ids.Contains(m.Id) && m.DeletedAt == null).Select(m => m.Id).ToListAsync();
        if (ids.Except(known).Cast<Guid?>().FirstOrDefault() is { } missing)
            throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"Logged model with ID '{TrackingKeys.LoggedModelText(missing)}' not found.");
        var there = await db.RunModels.Where(m => m.RunId == runId && m.IsOutput == isOutput).Select(m => m.ModelId).ToListAsync();
        db.RunModels.AddRange(models.DistinctBy(m => m.ModelId).Where(m => !there.Contains(m.ModelId)).Select(m => new RunModel { RunId = runId, ModelId = m.ModelId, IsOutput = isOutput, Step = m.Step }));
    }
}
