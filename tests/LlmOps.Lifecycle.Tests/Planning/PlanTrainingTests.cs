using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Planning;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Tests.Pipelines;
using LlmOps.Lifecycle.Tracking;
using LlmOps.TestKit;

namespace LlmOps.Lifecycle.Tests.Planning;

/// <summary>What is said about a training before it starts, from what is known by then.</summary>
public abstract class PlanTrainingTests(DatabaseProvider provider) : ProductTests(provider)
{
    private static string Align(string version = "base/1", string preferences = "animals/1", string more = "") =>
        $"name: steps\nstages:\n  - name: align\n    kind: align\n    with:\n      version: {version}\n      preferences: {preferences}\n      batch_size: 8\n      epochs: 2\n{more}";

    private const string New = """
        name: fresh
        stages:
          - name: data
            kind: import-data
            with: {source: data, name: fresh}
          - name: tokenizer
            kind: train-tokenizer
            with: {corpus: "${data.corpus}", vocabulary_size: 304}
          - name: train
            kind: pretrain
            with: {corpus: "${data.corpus}", tokenizer: "${tokenizer.tokenizer}", model: fresh, hidden_size: 64, layers: 2, heads: 4, kv_heads: 2, intermediate_size: 160, context_length: 48, batch_size: 4, epochs: 3}
        """;

    private async Task<(ModelVersion Version, DatasetVersion Data)> ArrangeAsync()
    {
        var folder = Path.Combine(Product.Folder, "base");
        TinyModels.WriteLlama(folder);
        await Get<ImportModel>().ImportAsync("base", folder, "MIT", "", Product.Alice);
        return ((await ReadAsync(db => Task.FromResult(db.ModelVersions.Single()))), await Product.DatasetAsync("animals", DatasetKind.Preference, TestProduct.PreferenceRows(100)));
    }

    [Fact]
    public async Task TokensAndSteps_AreThoseOfTheDataInTheModelsOwnTokens()
    {
        var (_, data) = await ArrangeAsync();
        var plan = await Get<PlanTraining>().PlanAsync(Align(), "align");
        // Every row is short enough to be encoded here as the trainer does it.
        var tokenizer = TinyModels.Tokenizer();
        var rows = (await Get<ReadRows>().PageAsync(data.Id, "train", 0, 1000)).Rows.Select(r => System.Text.Json.JsonDocument.Parse(r).RootElement).ToList();
        int Length(System.Text.Json.JsonElement row, string answer) => PromptTemplate.Prompt(tokenizer, row.GetProperty("prompt").GetString()!).Length + PromptTemplate.Completion(tokenizer, row.GetProperty(answer).GetString()!).Length;
        double mean = rows.Average(r => Length(r, "chosen") + Length(r, "rejected"));
        Assert.Equal(("animals/1", data.TrainRows, 2), (plan.Data, plan.Rows, plan.Counts!.Sequences));
        Assert.Equal(mean, plan.Counts.Mean, 6);
        Assert.Equal(rows.Max(r => Math.Max(Length(r, "chosen"), Length(r, "rejected"))), plan.Counts.Longest);
        var steps = (data.TrainRows + 7) / 8 * 2;
        Assert.Equal((steps, 2.0, (long)Math.Round(2 * data.TrainRows * mean)), (plan.Estimate!.Steps, plan.Estimate.Epochs, plan.Estimate.Tokens));
        // Align trains an adapter only when its parameters say so; the tiny model has 2 · (64·64·2 + 2·64·32 + 3·64·160) + 5·64 + 304·64 weights.
        Assert.Equal(2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 160) + 5 * 64 + 304 * 64, plan.Estimate.Parameters);
        Assert.Equal((null, null, null), (plan.Speed, plan.Seconds, plan.Fits));
    }

    [Fact]
    public async Task AnAlignmentWithAnAdapter_IsCountedAsOne()
    {
        await ArrangeAsync();
        var all = (await Get<PlanTraining>().PlanAsync(Align(), "align")).Estimate!;
        var adapter = (await Get<PlanTraining>().PlanAsync(Align(more: "      method: lora\n      lora_rank: 4\n"), "align")).Estimate!;
        Assert.Equal(all.Parameters, all.TrainedParameters);
        // Rank × (inputs + outputs) of q, k, v, o, gate, up and down, in two layers.
        Assert.Equal(2 * 4 * (2 * (64 + 64) + 2 * (64 + 32) + 3 * (64 + 160)), adapter.TrainedParameters);
    }

    [Fact]
    public async Task TimeIsSaid_WhenSuchATrainingWasMeasuredHere_AndOnlyThen()
    {
        var (version, _) = await ArrangeAsync();
        await FinishedAsync("fine-tune", version.Parameters, 900);
        await FinishedAsync("align", version.Parameters * 2, 700);
        Assert.Null((await Get<PlanTraining>().PlanAsync(Align(), "align")).Speed);
        await FinishedAsync("align", version.Parameters, 500);
        var plan = await Get<PlanTraining>().PlanAsync(Align(), "align");
        Assert.Equal((500, "worker-1"), (plan.Speed!.TokensPerSecond, plan.Speed.Worker));
        Assert.Equal(plan.Estimate!.Tokens / 500.0, plan.Seconds!.Value, 9);
    }

    [Fact]
    public async Task ATrainingThatNoWorkerCanHold_DoesNotFit()
    {
        await ArrangeAsync();
        var node = new WorkerNode { Name = "small", Host = "h", Provides = "cpu", MemoryBytes = 1 << 20, StartedAt = Product.Clock.GetUtcNow(), HeartbeatAt = Product.Clock.GetUtcNow() };
        await Product.WriteAsync(db => db.Workers.Add(node));
        Assert.Equal((1 << 20, false), ((await Get<PlanTraining>().PlanAsync(Align(), "align")).WorkerMemoryBytes, (await Get<PlanTraining>().PlanAsync(Align(), "align")).Fits));
        await Product.WriteAsync(db => db.Workers.Add(new WorkerNode { Name = "large", Host = "h", Provides = "cpu", MemoryBytes = 1L << 34, StartedAt = Product.Clock.GetUtcNow(), HeartbeatAt = Product.Clock.GetUtcNow() }));
        Assert.True((await Get<PlanTraining>().PlanAsync(Align(), "align")).Fits);
    }

    [Fact]
    public async Task BeforeAnythingHasRun_OnlyMemoryIsSaid_AndAfterwardsTheLengthToo()
    {
        var plan = await Get<PlanTraining>().PlanAsync(New, "train");
        Assert.Equal((false, null, null), (plan.LengthKnown, plan.Data, plan.Seconds));
        Assert.Contains("${data.corpus}", plan.Notes.Single(n => n.StartsWith("The data", StringComparison.Ordinal)), StringComparison.Ordinal);
        // Four rows of 48 tokens at once; the weights as a checkpoint of this shape has them.
        Assert.Equal((4 * 48, 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 160) + 5 * 64 + 304 * 64L), (plan.Estimate!.MicroBatchTokens, plan.Estimate.Parameters));

        var data = await Product.DatasetAsync("texts", DatasetKind.Corpus, string.Join('\n', Enumerable.Range(0, 60).Select(i => $$"""{"text":"a word is a unit of language number {{i}}","headword":"w{{i}}"}""")));
        var folder = Path.Combine(Product.Folder, "tokenizer");
        TinyModels.Tokenizer().Save(folder);
        var tokenizer = (await Product.Artifacts.PutFolderAsync(folder, TestContext.Current.CancellationToken)).Digest;
        var run = await PipelineDriver.StartAsync(Product, New);
        await run.SucceedAsync("data", ("corpus", "texts/1"));
        await run.SucceedAsync("tokenizer", ("tokenizer", tokenizer));
        plan = await Get<PlanTraining>().PlanAsync(New, "train");
        var rows = (await Get<ReadRows>().PageAsync(data.Id, "train", 0, 1000)).Rows;
        var tokens = rows.Sum(r => PromptTemplate.Document(TinyModels.Tokenizer(), System.Text.Json.JsonDocument.Parse(r).RootElement.GetProperty("text").GetString()!).Length);
        var steps = (int)Math.Ceiling(Math.Ceiling(tokens / 48.0) / 4);
        Assert.Equal((true, "texts/1", steps, 3 * steps, 3L * tokens), (plan.LengthKnown, plan.Data, plan.Estimate!.StepsPerEpoch, plan.Estimate.Steps, plan.Estimate.Tokens));
        Assert.Equal(["train"], (await Get<PlanTraining>().PlanAllAsync(New)).Select(p => p.Stage));
    }

    [Fact]
    public async Task WhatCannotBeEstimated_IsRefused()
    {
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<PlanTraining>().PlanAsync(New, "ghost"));
        Assert.Contains("import-data", await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<PlanTraining>().PlanAsync(New, "data")), StringComparison.Ordinal);
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<PlanTraining>().PlanAsync(Align("ghost/1"), "align"));
    }

    /// <summary>A training of this kind that ended with a version of this size.</summary>
    private async Task FinishedAsync(string kind, long parameters, double speed)
    {
        await Product.QueueAsync(kind);
        var job = await Product.ClaimAsync();
        var now = Product.Clock.GetUtcNow();
        var stored = await Product.StoreAsync(Guid.NewGuid().ToString());
        await Product.Context(job).CompleteAsync(async db =>
        {
            var run = await db.EnsureRunAsync("earlier", kind, job.Id, "alice", new Dictionary<string, string>(), now, default);
            run.State = RunState.Succeeded;
            await db.AddVersionAsync(new NewVersion("earlier", kind, stored, parameters, "", "", "MIT", $$"""{"tokens_per_second":{{speed}}}""", null, run.Id, job.Id), Product.Alice, now, default);
            return [];
        }, default);
    }
}

public sealed class PlanTrainingOnSqlite() : PlanTrainingTests(DatabaseProvider.Sqlite);

public sealed class PlanTrainingOnPostgres() : PlanTrainingTests(DatabaseProvider.Postgres);
