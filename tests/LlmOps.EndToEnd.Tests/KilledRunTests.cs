using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.EndToEnd.Tests;

/// <summary>The whole lifecycle in a real process that is killed without warning in every stage.</summary>
public sealed class KilledRunTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task Quickstart_FinishesWithEachResultOnce_WhenKilledInEveryStage()
    {
        using var data = new TemporaryFolder();
        var killed = new List<string>();
        var stages = PipelineDocument.Parse(await File.ReadAllTextAsync(Path.Combine(Repository.Root, "pipelines", "tiny", "tiny.yaml"), TestContext.Current.CancellationToken))
            .Stages.Where(s => !s.Kind.IsHuman).Select(s => s.Name).ToList();

        // Kill in whatever stage runs that was not killed yet, until each was hit or was too quick to be seen running.
        for (var finished = false; !finished;)
        {
            Assert.True(killed.Count <= stages.Count, $"More kills than stages: {string.Join(", ", killed)}");
            await using var process = Start(data.Path);
            string? hit = null;
            await process.UntilAsync(async () => (hit = await RunningStageAsync(data.Path, killed)) is not null || await IsOverAsync(data.Path), Patience);
            finished = hit is null;
            if (finished)
            {
                Assert.True(await process.ExitCodeAsync(Patience) == 0, process.Output);
                break;
            }
            await process.KillAsync();
            killed.Add(hit!);
        }

        string[] longEnoughToHit = ["train-tokenizer", "pretrain", "align", "fine-tune", "export-onnx", "optimize-graph", "quantize", "evaluate", "build-index"];
        Assert.Empty(longEnoughToHit.Except(killed));
        await AssertOneOfEachAsync(data.Path);
    }

    [Fact]
    public async Task Quickstart_StopsCleanlyAndGoesOn_WhenInterrupted()
    {
        using var data = new TemporaryFolder();
        await using (var first = Start(data.Path))
        {
            await first.UntilAsync(async () => await RunningStageAsync(data.Path, []) == "pretrain", Patience);
            first.Signal("-INT");
            Assert.True(await first.ExitCodeAsync(TimeSpan.FromSeconds(40)) == 130, first.Output);
        }
        await using (var db = Open(data.Path))
        {
            Assert.False(await db.Jobs.AnyAsync(j => j.State == JobState.Running, TestContext.Current.CancellationToken));
            Assert.Equal(1, await db.PipelineRuns.CountAsync(TestContext.Current.CancellationToken));
        }
        await using var second = Start(data.Path);
        Assert.True(await second.ExitCodeAsync(Patience) == 0, second.Output);
        await AssertOneOfEachAsync(data.Path);
    }

    private static ProductProcess Start(string data) => ProductProcess.Start(Repository.Built("LlmOps.Cli", "llmops.dll"), ["quickstart", "--pipeline", "tiny", "--data-folder", data],
        new Dictionary<string, string> { ["Worker__PollMs"] = "100" });

    private static async Task AssertOneOfEachAsync(string data)
    {
        await using var db = Open(data);
        var run = await db.PipelineRuns.Include(r => r.Stages).SingleAsync();
        Assert.Equal(PipelineState.Succeeded, run.State);
        Assert.All(run.Stages, s => Assert.Equal(StageState.Succeeded, s.State));
        Assert.Equal(["align", "fine-tune", "pretrain"], await db.ModelVersions.Select(v => v.Stage).OrderBy(s => s).ToListAsync());
        // Eleven of the stage quantize, two of export and optimisation, and the best of the search, whose name says what it is.
        var variants = await db.ModelVariants.OrderBy(v => v.Name).ToListAsync();
        string[] named = ["bf16", "fp16", "fp32", "fp32-optimized", "int4", "int4-awq", "int4-gptq", "int4-mixed", "int4-prefill", "int8", "int8-blocks", "int8-smooth", "int8-static"];
        Assert.Equal(named.Length + 1, variants.Count);
        var best = Assert.Single(variants, v => !named.Contains(v.Name));
        Assert.Contains("\"stopped\":", best.ReportJson, StringComparison.Ordinal);
        Assert.Contains("\"mean_kld\":", variants.Single(v => v.Name == "int4-awq").ReportJson, StringComparison.Ordinal);
        Assert.Equal(3, await db.DatasetVersions.CountAsync());
        Assert.Equal(3, await db.Runs.CountAsync());
        Assert.Equal(1, await db.IndexBuilds.CountAsync());
        Assert.Equal(2, await db.Revisions.CountAsync());
        Assert.Equal(1, await db.AliasMoves.CountAsync());
        // two checkpoints before fine-tuning; the checkpoint and four variants after it
        Assert.Equal(7, await db.EvaluationRuns.CountAsync(r => r.State == JobState.Succeeded));
        Assert.Equal(await db.EvaluationRuns.CountAsync(), await db.EvaluationRuns.CountAsync(r => r.State == JobState.Succeeded));
        var steps = await db.Metrics.Where(m => m.Key == "loss").GroupBy(m => m.RunId).Select(g => new { Count = g.Count(), Last = g.Max(m => m.Step) }).ToListAsync();
        Assert.All(steps, s => Assert.Equal(s.Last, s.Count));
        // every stage job that succeeded did so once, and none is left over
        Assert.Equal(run.Stages.Count - 1, await db.Jobs.CountAsync(j => j.State == JobState.Succeeded));
        Assert.Equal(run.Stages.Count - 1, await db.Jobs.CountAsync());
    }

    private static async Task<string?> RunningStageAsync(string data, List<string> except)
    {
        if (!File.Exists(Path.Combine(data, "llmops.db")))
            return null;
        try
        {
            await using var db = Open(data);
            return await db.StageRuns.Where(s => s.State == StageState.Running && !except.Contains(s.Name)).OrderBy(s => s.Ordinal).Select(s => s.Name).FirstOrDefaultAsync();
        }
        catch (Microsoft.Data.Sqlite.SqliteException)
        {
            return null;     // the schema is not there yet
        }
    }

    private static async Task<bool> IsOverAsync(string data)
    {
        try
        {
            await using var db = Open(data);
            return await db.PipelineRuns.AnyAsync(r => r.State == PipelineState.Succeeded || r.State == PipelineState.Failed);
        }
        catch (Microsoft.Data.Sqlite.SqliteException)
        {
            return false;
        }
    }

    private static LlmOpsDb Open(string data)
    {
        var options = new DbContextOptionsBuilder<LlmOpsDb>();
        DatabaseSetup.UseSqlite(options, $"Data Source={Path.Combine(data, "llmops.db")};Mode=ReadOnly;Pooling=False");
        return new LlmOpsDb(options.Options);
    }
}
