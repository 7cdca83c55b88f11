using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Tests.Pipelines;
using LlmOps.Lifecycle.Tracking;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Tracking;

/// <summary>What people do to a training that runs, and what it leaves for them to go on from.</summary>
public abstract class TrainingControlTests(DatabaseProvider provider) : ProductTests(provider)
{
    internal const string Words = """
        name: words
        stages:
          - name: tokenizer
            kind: train-tokenizer
            with: {corpus: words-corpus/1}
          - name: train
            kind: pretrain
            with:
              corpus: words-corpus/1
              tokenizer: ${tokenizer.tokenizer}
              model: words
              epochs: 3
          - name: export
            kind: export-onnx
            with: {version: "${train.version}"}
        """;

    /// <summary>A pipeline whose training has begun and has written its run.</summary>
    internal static async Task<(PipelineDriver Driver, Job Job, Guid Run)> TrainingAsync(TestProduct product)
    {
        var driver = await PipelineDriver.StartAsync(product, Words);
        await driver.SucceedAsync("tokenizer", ("tokenizer", "abc"));
        var job = await driver.ClaimAsync("train");
        Guid run = default;
        await product.Context(job).SaveAsync(async db => run = (await db.EnsureRunAsync("words", "train", job.Id, "alice", new Dictionary<string, string> { ["epochs"] = "3" }, product.Clock.GetUtcNow(), default)).Id, default);
        return (driver, job, run);
    }

    private static RunCheckpoint At(Guid run, int step, double heldOut, bool best = false) => new() { RunId = run, Step = step, Digest = new string('a', 64), Loss = 1.0 / step, HeldOutLoss = heldOut, Best = best, SizeBytes = 1000 };

    private Task<string> ControlAsync(Guid job) => ReadAsync(db => db.Jobs.Where(j => j.Id == job).Select(j => j.Control).SingleAsync());

    [Fact]
    public async Task APausedTraining_IsGivenBack_AndClaimedByNobody_UntilItIsResumed()
    {
        var (_, job, run) = await TrainingAsync(Product);
        await Get<ControlTraining>().PauseAsync(run, Product.Alice);
        // The worker hears it with its next heartbeat, saves a checkpoint and gives the job back.
        Assert.Equal(LeaseAnswer.RenewedButPauseRequested, await Get<JobTransitions>().RenewAsync(job, TimeSpan.FromMinutes(1), 0.5, null));
        Assert.False((await Get<ReadRuns>().GetAsync(run)).IsPaused);
        await Get<JobTransitions>().RequeueAsync(job, null, "Paused on request.", countAttempt: false);
        Assert.True((await Get<ReadRuns>().GetAsync(run)).IsPaused);
        Assert.Null(await Get<JobTransitions>().TryClaimAsync(TestProduct.Offer()));
        Assert.Contains("It is paused already.", await RefusedAsync(ErrorCode.ResourceConflict, () => Get<ControlTraining>().PauseAsync(run, Product.Alice)), StringComparison.Ordinal);
        await Get<ControlTraining>().ResumeAsync(run, Product.Alice);
        Assert.Equal(job.Id, (await Get<JobTransitions>().TryClaimAsync(TestProduct.Offer()))!.Id);
        Assert.Equal(["pause run", "resume run"], (await Product.AuditAsync()).Where(a => a.EndsWith(" run", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task StopAndKeep_ReachesTheWorker_AndWinsOverAPause()
    {
        var (_, job, run) = await TrainingAsync(Product);
        await Get<ControlTraining>().PauseAsync(run, Product.Alice);
        await Get<ControlTraining>().StopAndKeepAsync(run, Product.Alice);
        Assert.Equal(LeaseAnswer.RenewedButStopAndKeepRequested, await Get<JobTransitions>().RenewAsync(job, TimeSpan.FromMinutes(1), 0.5, null));
        Assert.Equal(JobControl.StopAndKeep, await ControlAsync(job.Id));
        Assert.Contains("about to end", await RefusedAsync(ErrorCode.ResourceConflict, () => Get<ControlTraining>().PauseAsync(run, Product.Alice)), StringComparison.Ordinal);
        Assert.Contains("It is not paused.", await RefusedAsync(ErrorCode.ResourceConflict, () => Get<ControlTraining>().ResumeAsync(run, Product.Alice)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ATrainingThatIsOver_AndARunThatIsNone_AreRefused_AndAViewerToo()
    {
        var (driver, _, run) = await TrainingAsync(Product);
        await RefusedAsync(ErrorCode.PermissionDenied, () => Get<ControlTraining>().PauseAsync(run, Product.Victor));
        await driver.SucceedAsync("train", ("version", "words/1"));
        Assert.Contains("It is over: Succeeded.", await RefusedAsync(ErrorCode.ResourceConflict, () => Get<ControlTraining>().StopAndKeepAsync(run, Product.Alice)), StringComparison.Ordinal);
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<ControlTraining>().PauseAsync(Guid.NewGuid(), Product.Alice));
        var outside = await OutsideAsync();
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<ControlTraining>().PauseAsync(outside, Product.Alice));
    }

    [Fact]
    public async Task CancellingAPausedTraining_EndsItsRunToo()
    {
        var (_, job, run) = await TrainingAsync(Product);
        await Get<ControlTraining>().PauseAsync(run, Product.Alice);
        await Get<JobTransitions>().RequeueAsync(job, null, null, countAttempt: false);
        await Get<CancelJobUseCase>().CancelAsync(job.Id, Product.Alice);
        var detail = await Get<ReadRuns>().GetAsync(run);
        Assert.Equal((RunState.Cancelled, false), (detail.State, detail.IsPaused));
        Assert.NotNull(detail.EndedAt);
    }

    [Fact]
    public async Task FromACheckpoint_OnlyTheTrainingAndWhatFollowsRunAgain_WithTheChangesThatWereAsked()
    {
        var (driver, _, run) = await TrainingAsync(Product);
        var checkpoint = At(run, 40, 1.5, best: true);
        await Product.WriteAsync(db => db.RunCheckpoints.Add(checkpoint));
        await driver.SucceedAsync("train", ("version", "words/1"));
        await driver.SucceedAsync("export", ("version", "words/1"), ("variant", "fp32"));
        var next = await Get<StartFromCheckpoint>().StartAsync(checkpoint.Id, new Dictionary<string, string> { ["epochs"] = "6" }, Product.Alice);
        var again = PipelineDriver.Of(Product, next.Id);
        Assert.Equal((2, "tokenizer Succeeded, train Queued, export Pending"), (next.Number, await again.StatesAsync()));
        var parameters = await again.ParametersAsync<PretrainParameters>("train");
        Assert.Equal((checkpoint.Id.ToString(), 6, "abc"), (parameters.ResumeFrom, parameters.Epochs, parameters.Tokenizer));
        Assert.Equal("Taken over from words #1.", (await again.StageAsync("tokenizer")).Error);
        Assert.Contains("continue-from-checkpoint pipeline-run", await Product.AuditAsync());
        // The definition itself is not changed by it.
        Assert.DoesNotContain("resume_from", await ReadAsync(db => db.PipelineDefinitions.Select(d => d.Yaml).SingleAsync()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ACheckpoint_ThatIsGone_OrWrongChanges_AreRefused_AndNothingIsStarted()
    {
        var (_, _, run) = await TrainingAsync(Product);
        var (gone, kept) = (At(run, 10, 2), At(run, 20, 1.9));
        gone.RemovedAt = Product.Clock.GetUtcNow();
        await Product.WriteAsync(db => db.RunCheckpoints.AddRange(gone, kept));
        Assert.Contains("step 10 is no longer kept", await RefusedAsync(ErrorCode.ResourceConflict, () => Get<StartFromCheckpoint>().StartAsync(gone.Id, new Dictionary<string, string>(), Product.Alice)), StringComparison.Ordinal);
        Assert.Contains("has no parameter 'epoch'", await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<StartFromCheckpoint>().StartAsync(kept.Id, new Dictionary<string, string> { ["epoch"] = "9" }, Product.Alice)), StringComparison.Ordinal);
        Assert.Contains("'9\nstages: []' is not a whole number", await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<StartFromCheckpoint>().StartAsync(kept.Id, new Dictionary<string, string> { ["epochs"] = "9\nstages: []" }, Product.Alice)), StringComparison.Ordinal);
        await RefusedAsync(ErrorCode.PermissionDenied, () => Get<StartFromCheckpoint>().StartAsync(kept.Id, new Dictionary<string, string>(), Product.Victor));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<StartFromCheckpoint>().StartAsync(Guid.NewGuid(), new Dictionary<string, string>(), Product.Alice));
        Assert.Equal(1, await CountAsync(db => db.PipelineRuns));
    }

    [Fact]
    public async Task Outputs_AreOneSeriesForEachTitle_PicturesFirst_AndTheNewestIsNeverThinnedOut()
    {
        var (_, job, run) = await TrainingAsync(Product);
        var picture = Path.Combine(Product.Folder, "made");
        Directory.CreateDirectory(picture);
        await File.WriteAllBytesAsync(Path.Combine(picture, "picture.png"), [1, 2, 3], TestContext.Current.CancellationToken);
        var digest = (await Product.Artifacts.PutFolderAsync(picture, TestContext.Current.CancellationToken)).Digest;
        RunOutput[] made =
        [
            .. Enumerable.Range(1, 250).Select(i => new RunOutput { RunId = run, Step = i, Title = "Once upon", MediaType = RunOutput.Text, Content = $"text {i}" }),
            new() { RunId = run, Step = 250, Title = "Samples", MediaType = RunOutput.Png, Content = "Sixteen shapes", Digest = digest },
        ];
        await Product.Context(job).SaveAsync(db => db.AddOutputsAsync(run, made, default), default);
        var series = await Get<ReadRunOutputs>().SeriesAsync(run);
        Assert.Equal(["Samples", "Once upon"], series.Select(s => s.Title));
        Assert.Equal((ReadRunOutputs.MostPoints, 1, 250, "text 250"), (series[1].Points.Count, series[1].Points[0].Step, series[1].Points[^1].Step, series[1].Points[^1].Text));
        await using var bytes = await Get<ReadRunOutputs>().PictureAsync(run, series[0].Points[0].Id);
        Assert.Equal([1, 2, 3], new[] { bytes.ReadByte(), bytes.ReadByte(), bytes.ReadByte() });
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<ReadRunOutputs>().PictureAsync(run, series[1].Points[0].Id));
    }

    private async Task<Guid> OutsideAsync()
    {
        await using var db = Product.Open();
        var run = await db.EnsureRunAsync("elsewhere", "by hand", Guid.CreateVersion7(), "alice", new Dictionary<string, string>(), Product.Clock.GetUtcNow(), default);
        await db.SaveChangesAsync();
        return run.Id;
    }
}

public sealed class TrainingControlOnSqlite() : TrainingControlTests(DatabaseProvider.Sqlite);

public sealed class TrainingControlOnPostgres() : TrainingControlTests(DatabaseProvider.Postgres);
