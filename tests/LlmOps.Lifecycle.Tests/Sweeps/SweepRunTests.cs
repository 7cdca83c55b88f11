using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Sweeps;
using LlmOps.Lifecycle.Tests.Pipelines;
using LlmOps.Lifecycle.Tracking;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Sweeps;

/// <summary>How a sweep goes on by itself, with a test in the place of the worker.</summary>
public abstract class SweepRunTests(DatabaseProvider provider) : ProductTests(provider)
{
    private const string TwoRates = "{learning_rate: [0.001, 0.002, 0.004], batch_size: [8, 16]}";

    internal static async Task<Sweep> StartAsync(TestProduct product, string yaml)
    {
        await product.Get<StartPipeline>().DefineAsync(SweepDocumentTests.Pipeline, "", product.Alice);
        return await product.Get<StartSweep>().StartAsync(yaml, product.Alice);
    }

    private Task<List<SweepTrial>> TrialsAsync() => ReadAsync(db => db.SweepTrials.AsNoTracking().OrderBy(t => t.Number).ToListAsync());

    private async Task<PipelineDriver> DriverAsync(int trial) => PipelineDriver.Of(Product, (await TrialsAsync())[trial - 1].PipelineRunId!.Value);

    private async Task PrepareDataAsync(int trial = 1)
    {
        var run = await DriverAsync(trial);
        await run.SucceedAsync("data", ("corpus", "facts/1"));
        await run.SucceedAsync("tokenizer", ("tokenizer", "abc"));
        await Get<AdvanceSweeps>().AfterStageAsync(run.RunId);
    }

    /// <summary>The training writes its curve and ends, as a worker does it.</summary>
    private async Task TrainAsync(int trial, params double[] losses)
    {
        var run = await DriverAsync(trial);
        var job = await run.ClaimAsync("pretrain");
        await using (var db = Product.Open())
        {
            var curve = await db.EnsureRunAsync("sweep-rates", "pretrain", job.Id, "alice", new Dictionary<string, string>(), Product.Clock.GetUtcNow(), default);
            await db.SaveChangesAsync();
            await db.AddMetricsAsync(curve.Id, [.. losses.Select((l, i) => new MetricPoint("loss", i + 1, l))], Product.Clock.GetUtcNow(), default);
            await db.SaveChangesAsync();
        }
        await run.SucceedAsync("pretrain", ("version", $"tiny-lm/{trial}"));
    }

    private async Task AfterAsync(int trial) => await Get<AdvanceSweeps>().AfterStageAsync((await DriverAsync(trial)).RunId);

    [Fact]
    public async Task Start_RunsOneTrial_UntilWhatAllShareIsThere_ThenTheOthersTakeItOver()
    {
        await StartAsync(Product, SweepDocumentTests.Sweep("method: grid\nparallel: 3", TwoRates));
        Assert.Equal([1], (await TrialsAsync()).Select(t => t.Number));
        foreach (var (origin, names) in new (PipelineOrigin, string[])[] { (PipelineOrigin.Written, ["tuned"]), (PipelineOrigin.Sweep, ["sweep-rates"]), (PipelineOrigin.Any, ["sweep-rates", "tuned"]) })
            Assert.Equal(names, (await Get<ReadPipelines>().ListAsync(null, 0, 10, origin)).Rows.Select(r => r.Name));
        await PrepareDataAsync();
        var trials = await TrialsAsync();
        Assert.Equal(["""{"learning_rate":0.001,"batch_size":8}""", """{"learning_rate":0.001,"batch_size":16}""", """{"learning_rate":0.002,"batch_size":8}"""], trials.Select(t => t.ParametersJson));
        var second = await DriverAsync(2);
        Assert.Equal("data Succeeded, tokenizer Succeeded, pretrain Queued", await second.StatesAsync());
        Assert.Equal("Taken over from sweep-rates #1.", (await second.StageAsync("tokenizer")).Error);
        Assert.Equal((0, 0, 1), (await second.JobsOfAsync("data"), await second.JobsOfAsync("tokenizer"), await second.JobsOfAsync("pretrain")));
        var parameters = await second.ParametersAsync<PretrainParameters>("pretrain");
        Assert.Equal(("facts/1", "abc", 0.001, 16, 64), (parameters.Corpus, parameters.Tokenizer, parameters.LearningRate, parameters.BatchSize, parameters.HiddenSize));
    }

    [Fact]
    public async Task Sweep_ReadsEachTrialsLastPoint_AndEndsWithTheBest()
    {
        await StartAsync(Product, SweepDocumentTests.Sweep("method: grid\nparallel: 6", TwoRates));
        await PrepareDataAsync();
        double[][] curves = [[3, 2], [3, 1, 1.5], [0.1, 4], [3, 1.2], [5, 5], [2, 2]];
        for (var i = 1; i <= 6; i++)
        {
            Assert.Equal(SweepState.Running, (await ReadAsync(db => db.Sweeps.SingleAsync())).State);
            await TrainAsync(i, curves[i - 1]);
            await AfterAsync(i);
        }
        var found = await Get<ReadSweeps>().GetAsync("rates");
        Assert.Equal([2, 1.5, 4, 1.2, 5, 2], found.Trials.Select(t => t.Value!.Value));
        Assert.Equal((SweepState.Succeeded, 4, 6L, 6), (found.Row.State, found.Best!.Number, found.Row.Runs, found.Row.Over));
        var runs = await ReadAsync(db => db.Runs.ToListAsync());
        Assert.Equal(found.Trials.Select(t => (t.Id, t.RunId)).Order(), runs.Select(r => (r.SweepTrialId!.Value, (Guid?)r.Id)).Order());
        Assert.Equal(6, await CountAsync(db => db.PipelineRuns));
    }

    [Fact]
    public async Task Best_TakesTheBestPoint_WhenTheSweepSaysSo()
    {
        await StartAsync(Product, SweepDocumentTests.Sweep("method: grid\ntake: best", "{learning_rate: [0.001, 0.002]}"));
        await PrepareDataAsync();
        await TrainAsync(1, 3, 0.5, 2);
        await AfterAsync(1);
        Assert.Equal(0.5, (await TrialsAsync())[0].Value);
    }

    [Fact]
    public async Task Advance_ChangesNothing_WhenItIsCalledAgain_AlsoByManyAtOnce()
    {
        var sweep = await StartAsync(Product, SweepDocumentTests.Sweep("method: random\nparallel: 4\nmax_trials: 9"));
        await PrepareDataAsync();
        // The training of trial 1 has ended and whoever was to go on was killed: eight others look at the same moment.
        await TrainAsync(1, 1.0);
        await AtOnceAsync(8, async _ => { await Get<AdvanceSweeps>().AdvanceAllAsync(); return 0; });
        var trials = await TrialsAsync();
        Assert.Equal([1, 2, 3, 4, 5], trials.Select(t => t.Number));
        Assert.Equal(5, await CountAsync(db => db.PipelineRuns));
        Assert.Equal(4, trials.Count(t => t.State == TrialState.Running));
        Assert.Equal(5, trials.Select(t => t.ParametersJson).Distinct().Count());
        await Get<AdvanceSweeps>().AdvanceAsync(sweep.Id);
        Assert.Equal(5, await CountAsync(db => db.SweepTrials));
    }

    [Fact]
    public async Task Advance_StartsTheRunOfATrial_ThatWasSavedByAProcessThatDiedRightAfter()
    {
        await StartAsync(Product, SweepDocumentTests.Sweep("method: grid", "{learning_rate: [0.001, 0.002]}"));
        // As if nobody had queued the first stage: the run's rows are all that is left.
        await using (var db = Product.Open())
        {
            await db.StageRuns.ExecuteUpdateAsync(s => s.SetProperty(x => x.State, StageState.Pending).SetProperty(x => x.JobId, (Guid?)null));
            await db.Jobs.ExecuteDeleteAsync();
        }
        await Get<AdvancePipelines>().AdvanceAllAsync();
        await Get<AdvanceSweeps>().AdvanceAllAsync();
        Assert.Equal("data Queued, tokenizer Pending, pretrain Pending", await (await DriverAsync(1)).StatesAsync());
        Assert.Equal(1, await CountAsync(db => db.SweepTrials));
    }

    [Fact]
    public async Task Halving_GivesTheBestOfARungMoreSteps_AndLeavesFailedTrialsBehind()
    {
        await StartAsync(Product, SweepDocumentTests.Sweep("method: halving\nmax_trials: 4\nparallel: 4\nhalving: {min_budget: 10, eta: 2, rungs: 3}"));
        await PrepareDataAsync();
        double[] losses = [4, 1, 3, 2];
        for (var i = 1; i <= 4; i++)
        {
            if (i == 2)
                await (await DriverAsync(i)).FailAsync("pretrain", "The loss is not a number.");
            else
                await TrainAsync(i, losses[i - 1]);
            await AfterAsync(i);
        }
        var trials = await TrialsAsync();
        Assert.Equal((TrialState.Failed, "pretrain: The loss is not a number."), (trials[1].State, trials[1].Error));
        Assert.Equal([(5, 1, (Guid?)trials[3].Id), (6, 1, trials[2].Id)], trials.Skip(4).Select(t => (t.Number, t.Rung, t.PromotedFromId)));
        var promoted = await (await DriverAsync(5)).ParametersAsync<PretrainParameters>("pretrain");
        var first = await (await DriverAsync(4)).ParametersAsync<PretrainParameters>("pretrain");
        Assert.Equal((20, 10, first.LearningRate, first.BatchSize), (promoted.MaxSteps, first.MaxSteps, promoted.LearningRate, promoted.BatchSize));
        await TrainAsync(5, 1.9);
        await TrainAsync(6, 1.1);
        await AfterAsync(6);
        await TrainAsync(7, 1.0);
        await AfterAsync(7);
        var sweep = await Get<ReadSweeps>().GetAsync("rates");
        Assert.Equal((SweepState.Succeeded, 7, 3, 7L), (sweep.Row.State, sweep.Row.Trials, sweep.Best!.PromotedFrom is 6 ? 3 : 0, sweep.Row.Runs));
    }

    private async Task<RunCheckpoint> CheckpointAsync(int trial, int step, bool removed = false)
    {
        var run = (await TrialsAsync())[trial - 1].RunId ?? throw new InvalidOperationException($"Trial {trial} has no curve.");
        var checkpoint = new RunCheckpoint { RunId = run, Step = step, Digest = new string('a', 64), SizeBytes = 10, RemovedAt = removed ? Product.Clock.GetUtcNow() : null };
        await Product.WriteAsync(db => db.RunCheckpoints.Add(checkpoint));
        return checkpoint;
    }

    [Fact]
    public async Task Halving_GoesOnFromTheLastCheckpointThatIsKept_AndSaysWhenThereIsNone()
    {
        await StartAsync(Product, SweepDocumentTests.Sweep("method: halving\nmax_trials: 4\nparallel: 4\ntake: best\nhalving: {min_budget: 10, eta: 2, rungs: 2}"));
        await PrepareDataAsync();
        await TrainAsync(1, 4.0);
        await AfterAsync(1);
        await TrainAsync(2, 1.0);
        await AfterAsync(2);
        await CheckpointAsync(2, 5);
        var last = await CheckpointAsync(2, 8);
        await CheckpointAsync(2, 10, removed: true);
        await TrainAsync(3, 2.0);
        await AfterAsync(3);
        await CheckpointAsync(3, 10, removed: true);
        await TrainAsync(4, 3.0);
        await AfterAsync(4);
        var (goesOn, anew) = (await (await DriverAsync(5)).ParametersAsync<PretrainParameters>("pretrain"), await (await DriverAsync(6)).ParametersAsync<PretrainParameters>("pretrain"));
        Assert.Equal((20, last.Id.ToString(), 20, ""), (goesOn.MaxSteps, goesOn.ResumeFrom, anew.MaxSteps, anew.ResumeFrom));
        // The curve of trial 5 begins where that of trial 2 ended: its best point is the one in trial 2. Trial 6 has only its own.
        await TrainAsync(5, 1.5);
        await TrainAsync(6, 2.5);
        await AfterAsync(6);
        var sweep = await Get<ReadSweeps>().GetAsync("rates");
        Assert.Equal([(2, (int?)8, 1.0, (string?)null), (3, null, 2.5, "Started anew: trial 3 has left no checkpoint.")], sweep.Trials.Skip(4).Select(t => (t.PromotedFrom!.Value, t.ContinuesFromStep, t.Value!.Value, t.Error)));
        Assert.DoesNotContain("resume_from", sweep.Best!.Parameters.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Trial_IsMeasuredByAnEvaluation_WhenTheSweepNamesOne()
    {
        await StartAsync(Product, SweepDocumentTests.Sweep("method: grid\nmeasured_by: measure\ndirection: maximise", "{learning_rate: [0.001, 0.002]}", metric: "preference.accuracy"));
        await PrepareDataAsync();
        foreach (var (trial, accuracy) in new[] { (1, 0.4), (2, 0.7) })
        {
            await TrainAsync(trial, 9 - trial);
            var run = await DriverAsync(trial);
            await run.SucceedAsync("export", ("version", "tiny-lm/1"), ("variant", "fp32"));
            var job = await run.ClaimAsync("measure");
            var version = await Product.VersionAsync("tiny-lm", "fp32");
            await Product.WriteAsync(db =>
            {
                var suite = new EvaluationSuite { Name = $"s{trial}", DefinitionJson = "{}", CreatedAt = Product.Clock.GetUtcNow() };
                db.Add(suite);
                db.EvaluationRuns.Add(new EvaluationRun
                {
                    SuiteId = suite.Id, VersionId = version.Id, VariantName = "fp32", State = JobState.Succeeded, DatasetsJson = "{}", JobId = job.Id, StartedAt = Product.Clock.GetUtcNow(), CreatedBy = "alice",
                    Metrics = [new() { Name = "preference.accuracy", Value = accuracy, Low = 0, High = 1, N = 10, Unit = "", HigherIsBetter = true }],
                });
            });
            await run.SucceedAsync("measure", ("version", "tiny-lm/1"), ("runs", ""));
            await AfterAsync(trial);
        }
        var sweep = await Get<ReadSweeps>().GetAsync("rates");
        Assert.Equal((SweepState.Succeeded, 2, 0.7), (sweep.Row.State, sweep.Best!.Number, sweep.Best.Value));
    }

    [Fact]
    public async Task Trial_Fails_AndSaysWhatThereIs_WhenItsRunHasNoSuchMetric()
    {
        await StartAsync(Product, SweepDocumentTests.Sweep("method: grid", "{learning_rate: [0.001, 0.002]}", metric: "perplexity"));
        await PrepareDataAsync();
        await TrainAsync(1, 1.0);
        await AfterAsync(1);
        Assert.Equal((TrialState.Failed, "There is no perplexity. Measured: loss."), (await TrialsAsync())[0] switch { var t => (t.State, t.Error) });
        await TrainAsync(2, 1.0);
        await AfterAsync(2);
        Assert.Equal((SweepState.Failed, "None of 2 trials succeeded. Trial 1: There is no perplexity. Measured: loss."), await ReadAsync(db => db.Sweeps.SingleAsync()) switch { var s => (s.State, s.Error) });
    }

    [Fact]
    public async Task Trial_FailsWithoutARun_WhenItsValuesDoNotFitTogether()
    {
        await StartAsync(Product, SweepDocumentTests.Sweep("method: grid\nparallel: 2", "{heads: [4, 5]}"));
        await PrepareDataAsync();
        var trials = await TrialsAsync();
        Assert.Equal((TrialState.Failed, (Guid?)null), (trials[1].State, trials[1].PipelineRunId));
        Assert.Contains("5 heads do not divide a hidden_size of 64", trials[1].Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sweep_Fails_WhenAStageFails_ThatEveryTrialNeeds()
    {
        await StartAsync(Product, SweepDocumentTests.Sweep("method: grid", TwoRates));
        await (await DriverAsync(1)).FailAsync("data", "The folder is empty.");
        await AfterAsync(1);
        var sweep = await ReadAsync(db => db.Sweeps.SingleAsync());
        Assert.Equal(SweepState.Failed, sweep.State);
        Assert.Contains("data, which every trial needs, failed: The folder is empty.", sweep.Error, StringComparison.Ordinal);
        Assert.Equal(1, await CountAsync(db => db.SweepTrials));
    }

    [Fact]
    public async Task Stop_CancelsWhatRuns_KeepsWhatWasMeasured_AndStartsNothingMore()
    {
        var sweep = await StartAsync(Product, SweepDocumentTests.Sweep("method: grid\nparallel: 2", TwoRates));
        await PrepareDataAsync();
        await TrainAsync(1, 1.0);
        await AfterAsync(1);
        await Get<StopSweep>().StopAsync("rates", Product.Alice);
        var trials = await TrialsAsync();
        Assert.Equal([TrialState.Succeeded, TrialState.Stopped, TrialState.Stopped], trials.Select(t => t.State));
        Assert.Equal(1.0, trials[0].Value);
        await Get<AdvanceSweeps>().AdvanceAsync(sweep.Id);
        Assert.Equal((3, SweepState.Stopped), (await CountAsync(db => db.SweepTrials), await ReadAsync(db => db.Sweeps.Select(s => s.State).SingleAsync())));
        await RefusedAsync(ErrorCode.ResourceConflict, () => Get<StopSweep>().StopAsync("rates", Product.Alice));
    }

    [Fact]
    public async Task Advance_CancelsATrial_ThatWasStartedInTheMomentInWhichTheSweepWasStopped()
    {
        var sweep = await StartAsync(Product, SweepDocumentTests.Sweep("method: grid", TwoRates));
        await using (var db = Product.Open())
            await db.Sweeps.ExecuteUpdateAsync(s => s.SetProperty(x => x.State, SweepState.Stopped));
        await Get<AdvanceSweeps>().AdvanceAllAsync();
        await Get<AdvanceSweeps>().AdvanceAllAsync();
        Assert.Equal(TrialState.Stopped, (await TrialsAsync()).Single().State);
        Assert.Equal(PipelineState.Cancelled, await ReadAsync(db => db.PipelineRuns.Select(r => r.State).SingleAsync()));
        Assert.Equal(1, (await Product.AuditAsync()).Count(a => a == "cancel pipeline-run"));
    }

    [Fact]
    public async Task Start_Refuses_WhatIsTaken_Unknown_OrNotAllowed()
    {
        await StartAsync(Product, SweepDocumentTests.Sweep());
        await RefusedAsync(ErrorCode.ResourceAlreadyExists, () => Get<StartSweep>().StartAsync(SweepDocumentTests.Sweep(), Product.Alice));
        await RefusedAsync(ErrorCode.PermissionDenied, () => Get<StartSweep>().StartAsync(SweepDocumentTests.Sweep(name: "other"), Product.Victor));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<StartSweep>().StartAsync("name: a\npipeline: nothing", Product.Alice));
        Assert.Contains("pipeline", await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<StartSweep>().StartAsync("name: a", Product.Alice)), StringComparison.Ordinal);
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<ReadSweeps>().GetAsync("other"));
    }
}

public sealed class SweepRunsOnSqlite() : SweepRunTests(DatabaseProvider.Sqlite);

public sealed class SweepRunsOnPostgres() : SweepRunTests(DatabaseProvider.Postgres);
