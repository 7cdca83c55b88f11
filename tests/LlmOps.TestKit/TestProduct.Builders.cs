using System.Text;
using System.Text.Json;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.TestKit;

// Shortest ways to rows that a test needs but is not about. They use the product's own code, so what they make is what the product makes.
public sealed partial class TestProduct
{
    /// <summary>Stores a folder with one file of the given text.</summary>
    public async Task<StoredArtifact> StoreAsync(string text)
    {
        var folder = Directory.CreateTempSubdirectory("llmops-test-artifact-").FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "content.txt"), text);
        var stored = await Artifacts.PutFolderAsync(folder);
        Directory.Delete(folder, recursive: true);
        return stored;
    }

    /// <summary>A version with variants, whose artifacts are one small text each.</summary>
    public async Task<ModelVersion> VersionAsync(string model = "tiny-lm", params string[] variants)
    {
        var stored = await StoreAsync($"checkpoint {Guid.NewGuid()}");
        await using var db = Open();
        var version = await db.AddVersionAsync(new NewVersion(model, "fine-tune", stored, 1000, "for a test", "facts/1", "MIT", "{}", null, null, null), Alice, Clock.GetUtcNow(), default);
        foreach (var name in variants)
            await db.PutVariantAsync(new NewVariant(version.Id, name, name, await StoreAsync($"{name} of {version.Id}"), null, "{}", null), Alice, Clock.GetUtcNow(), default);
        await db.SaveChangesAsync();
        return version;
    }

    /// <summary>Preference rows about animals; every headword comes twice, so that a split that cuts through one is seen.</summary>
    public static string PreferenceRows(int count) => string.Join('\n', Enumerable.Range(0, count).Select(i => JsonSerializer.Serialize(new
    {
        prompt = $"Define animal{i / 2} ({i % 2}).", chosen = "A living thing.", rejected = "No idea.", headword = $"animal{i / 2}", rejected_kind = i % 3 == 0 ? "wrong" : "off-style",
    })));

    public async Task<DatasetVersion> DatasetAsync(string name, DatasetKind kind, string rows, bool quarantine = false, Actor? actor = null)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(rows));
        return await Get<ImportDataset>().ImportAsync(name, kind, stream, quarantine, "MIT", "a test", actor ?? Alice);
    }

    /// <summary>A finished evaluation whose numbers come from the given rows: task name → values.</summary>
    public async Task<EvaluationRun> EvaluationAsync(Guid versionId, string variant, IReadOnlyDictionary<string, double[]> values, string suite = "quickstart", string keyPrefix = "")
    {
        await using var db = Open();
        var owner = await db.EvaluationSuites.SingleOrDefaultAsync(s => s.Name == suite);
        if (owner is null)
            db.Add(owner = new EvaluationSuite { Name = suite, DefinitionJson = "{}", CreatedAt = Clock.GetUtcNow() });
        var run = new EvaluationRun
        {
            SuiteId = owner.Id, VersionId = versionId, VariantName = variant, State = JobState.Succeeded, DatasetsJson = "{}", JobId = Guid.CreateVersion7(), StartedAt = Clock.GetUtcNow(), CreatedBy = Alice.Name,
        };
        var rows = values.SelectMany(t => t.Value.Select((v, i) => new RowScore { EvaluationRunId = run.Id, Task = t.Key, RowKey = $"{keyPrefix}{i:D4}", Value = v })).ToList();
        db.Add(run);
        db.RowScores.AddRange(rows);
        db.EvaluationMetrics.AddRange(SummariseRows.Summarise(run.Id, rows, resamples: 300));
        await db.SaveChangesAsync();
        return run;
    }

    public Task<ApprovalRequest> RequestAsync(ModelVersion version, string variant, string alias = "production", Actor? actor = null) =>
        Get<RequestPromotion>().RequestAsync(version.Key().ToString(), variant, alias, actor ?? Alice);

    /// <summary>Alice asks, Rosa approves.</summary>
    public async Task<ApprovalRequest> PromoteAsync(ModelVersion version, string variant, string alias = "production")
    {
        var request = await RequestAsync(version, variant, alias);
        await Get<DecideApproval>().ApproveAsync(request.Id, "fine", Rosa);
        return request;
    }

    public async Task<Job> QueueAsync(string kind = "pretrain", string needs = "cpu", int maxAttempts = 5, long memoryBytes = 0, DateTimeOffset? notBefore = null, Guid? stageRunId = null)
    {
        var job = new Job
        {
            Kind = kind, SpecJson = "{}", State = JobState.Queued, Needs = needs, MaxAttempts = maxAttempts, MemoryBytes = memoryBytes, NotBefore = notBefore, StageRunId = stageRunId,
            CreatedById = Alice.Id, CreatedBy = Alice.Name, CreatedAt = Clock.GetUtcNow(),
        };
        await WriteAsync(db => db.Jobs.Add(job));
        return job;
    }

    public static WorkerOffer Offer(string worker = "worker-1", string provides = "cpu", long memoryBytes = 1 << 30) =>
        new(Guid.CreateVersion7(), worker, provides.Split(','), memoryBytes, TimeSpan.FromSeconds(30));

    public async Task<Job> ClaimAsync(string worker = "worker-1") =>
        await Get<JobTransitions>().TryClaimAsync(Offer(worker)) ?? throw new InvalidOperationException("There is no job to claim.");

    public JobContext Context(Job job) => new(job, Directory.CreateDirectory(Path.Combine(Folder, "work", job.Id.ToString("N"))).FullName, Dbs, Get<Lifecycle.Messaging.Hints>(), Clock);
}
