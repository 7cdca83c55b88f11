using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Promotion;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Pipelines;

/// <summary>What people do to a run.</summary>
public abstract class ControlPipelineTests(DatabaseProvider provider) : ProductTests(provider)
{
    private ControlPipeline Control => Get<ControlPipeline>();

    private Task<PipelineDriver> StartAsync(string yaml = PipelineRunTests.Diamond) => PipelineDriver.StartAsync(Product, yaml);

    /// <summary>Data is there, left failed, right succeeded, join was never reached.</summary>
    private async Task<PipelineDriver> FailedAsync()
    {
        var run = await StartAsync();
        await run.SucceedAsync("data", ("corpus", "facts/1"));
        await run.FailAsync("left");
        await run.SucceedAsync("right", ("tokenizer", "abc"));
        return run;
    }

    private async Task<PipelineDriver> WaitingAsync()
    {
        await Product.VersionAsync("tiny-lm", "int8");
        var run = await StartAsync(PipelineRunTests.WithApproval);
        await run.SucceedAsync("gate", ("version", "tiny-lm/1"), ("variant", "int8"));
        return run;
    }

    [Fact]
    public async Task Cancel_EndsWhatWaits_AndAsksWhatRuns()
    {
        var run = await StartAsync();
        await run.SucceedAsync("data", ("corpus", "facts/1"));
        // Both were queued in the same moment; which of them a worker takes first is open.
        var running = await Product.ClaimAsync();
        var leftRuns = running.Id == (await run.StageAsync("left")).JobId;
        await Control.CancelAsync(run.RunId, Product.Alice);
        Assert.Equal($"data Succeeded, left {(leftRuns ? "Running, right Cancelled" : "Cancelled, right Running")}, join Cancelled", await run.StatesAsync());
        Assert.Equal(PipelineState.Running, (await run.RunAsync()).State);
        Assert.Null(await Get<JobTransitions>().TryClaimAsync(TestProduct.Offer()));
        Assert.Equal(LeaseAnswer.RenewedButCancelRequested, await Get<JobTransitions>().RenewAsync(running, TimeSpan.FromSeconds(30), 0, null));
        await Get<JobTransitions>().CancelledAsync(running);
        await Get<AdvancePipelines>().AdvanceAllAsync();
        Assert.Equal(PipelineState.Cancelled, (await run.RunAsync()).State);
        Assert.NotNull((await run.StageAsync("data")).OutputsJson);
        await RefusedAsync(ErrorCode.ResourceConflict, () => Control.CancelAsync(run.RunId, Product.Alice));
    }

    [Fact]
    public async Task Cancel_WithdrawsTheApproval_ThatNobodyCanGiveAnyMore()
    {
        var run = await WaitingAsync();
        await Control.CancelAsync(run.RunId, Product.Alice);
        Assert.Equal(PipelineState.Cancelled, (await run.RunAsync()).State);
        var request = await ReadAsync(db => db.Approvals.SingleAsync());
        Assert.Equal(ApprovalState.Withdrawn, request.State);
        await RefusedAsync(ErrorCode.ResourceConflict, () => Get<DecideApproval>().ApproveAsync(request.Id, "", Product.Rosa));
        Assert.Equal(0, await CountAsync(db => db.Aliases));
    }

    [Fact]
    public async Task Resume_RunsFailedAndCancelledStagesAgain_AndKeepsResults()
    {
        var run = await FailedAsync();
        await Control.ResumeAsync(run.RunId, Product.Alice);
        Assert.Equal("data Succeeded, left Queued, right Succeeded, join Pending", await run.StatesAsync());
        Assert.Equal((2, 1), ((await run.StageAsync("left")).Round, (await run.StageAsync("right")).Round));
        Assert.Equal(PipelineState.Running, (await run.RunAsync()).State);
        Assert.Null((await run.RunAsync()).EndedAt);
        await run.SucceedAsync("left", ("tokenizer", "abc"));
        await run.SucceedAsync("join", ("version", "tiny-lm/1"));
        Assert.Equal(PipelineState.Succeeded, (await run.RunAsync()).State);
        Assert.Equal((1, 2, 1), (await run.JobsOfAsync("data"), await run.JobsOfAsync("left"), await run.JobsOfAsync("right")));
        await RefusedAsync(ErrorCode.ResourceConflict, () => Control.ResumeAsync(run.RunId, Product.Alice));
    }

    [Fact]
    public async Task Resume_GoesOn_AfterACancelledRun()
    {
        var run = await StartAsync();
        await run.SucceedAsync("data", ("corpus", "facts/1"));
        await Control.CancelAsync(run.RunId, Product.Alice);
        await Control.ResumeAsync(run.RunId, Product.Alice);
        Assert.Equal("data Succeeded, left Queued, right Queued, join Pending", await run.StatesAsync());
    }

    [Fact]
    public async Task RerunFrom_RunsTheStageAndWhatFollows_Again()
    {
        var run = await StartAsync();
        await run.SucceedAsync("data", ("corpus", "facts/1"));
        await run.SucceedAsync("left", ("tokenizer", "one"));
        await run.SucceedAsync("right", ("tokenizer", "abc"));
        await run.SucceedAsync("join", ("version", "tiny-lm/1"));
        await Control.RerunFromAsync(run.RunId, "left", Product.Alice);
        Assert.Equal("data Succeeded, left Queued, right Succeeded, join Pending", await run.StatesAsync());
        Assert.Null((await run.StageAsync("join")).OutputsJson);
        await run.SucceedAsync("left", ("tokenizer", "two"));
        Assert.Equal("two", (await run.ParametersAsync<Lifecycle.Pipelines.Stages.PretrainParameters>("join")).Tokenizer);
        await run.SucceedAsync("join", ("version", "tiny-lm/2"));
        Assert.Equal(PipelineState.Succeeded, (await run.RunAsync()).State);
    }

    [Fact]
    public async Task RerunFrom_IsRefused_WhileSomethingItTouchesIsUnderWay()
    {
        var run = await StartAsync();
        await RefusedAsync(ErrorCode.ResourceConflict, () => Control.RerunFromAsync(run.RunId, "data", Product.Alice));
        await RefusedAsync(ErrorCode.ResourceConflict, () => Control.RerunFromAsync(run.RunId, "join", Product.Alice));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Control.RerunFromAsync(run.RunId, "nothing", Product.Alice));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Control.RerunFromAsync(Guid.NewGuid(), "data", Product.Alice));
        Assert.Equal("data Queued, left Pending, right Pending, join Pending", await run.StatesAsync());
    }

    [Fact]
    public async Task RerunFrom_IsRefused_WhileAnApprovalWaitsForItsEvidence()
    {
        var run = await WaitingAsync();
        Assert.Contains("Reject the approval first", await RefusedAsync(ErrorCode.ResourceConflict, () => Control.RerunFromAsync(run.RunId, "gate", Product.Alice)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task MarkSucceeded_NeedsTheOutputs_ThatLaterStagesReferTo()
    {
        var run = await FailedAsync();
        Assert.Contains("tokenizer", await RefusedAsync(ErrorCode.InvalidParameterValue, () => Control.MarkSucceededAsync(run.RunId, "left", [], Product.Alice)), StringComparison.Ordinal);
        await Control.MarkSucceededAsync(run.RunId, "left", new() { ["tokenizer"] = "by-hand" }, Product.Alice);
        Assert.Equal("data Succeeded, left Succeeded, right Succeeded, join Queued", await run.StatesAsync());
        Assert.Equal("by-hand", (await run.ParametersAsync<Lifecycle.Pipelines.Stages.PretrainParameters>("join")).Tokenizer);
        Assert.Contains("alice", (await run.StageAsync("left")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MarkSucceeded_IsRefused_ForAStageThatDidNotFail()
    {
        var run = await FailedAsync();
        await RefusedAsync(ErrorCode.ResourceConflict, () => Control.MarkSucceededAsync(run.RunId, "right", [], Product.Alice));
        await RefusedAsync(ErrorCode.ResourceConflict, () => Control.MarkSucceededAsync(run.RunId, "join", [], Product.Alice));
    }

    [Fact]
    public async Task MarkSucceeded_OpensNoGate_AndGivesNoApproval()
    {
        var run = await WaitingAsync();
        var outputs = new Dictionary<string, string> { ["version"] = "tiny-lm/1", ["variant"] = "int8" };
        await RefusedAsync(ErrorCode.PermissionDenied, () => Control.MarkSucceededAsync(run.RunId, "approve", outputs, Product.Ada));
        await RefusedAsync(ErrorCode.PermissionDenied, () => Control.MarkSucceededAsync(run.RunId, "gate", outputs, Product.Ada));
        Assert.Equal("gate Succeeded, approve WaitingForApproval, deploy Pending", await run.StatesAsync());
    }

    [Fact]
    public async Task CancelJob_EndsItsStage_AndTheRun()
    {
        var run = await StartAsync();
        await Get<CancelJobUseCase>().CancelAsync((await run.StageAsync("data")).JobId!.Value, Product.Alice);
        await Get<AdvancePipelines>().AdvanceAllAsync();
        Assert.Equal("data Cancelled, left Pending, right Pending, join Pending", await run.StatesAsync());
        Assert.Equal(PipelineState.Cancelled, (await run.RunAsync()).State);
    }

    [Fact]
    public async Task CancelAndClaimAtOnce_LeaveNoJobRunning_ThatNobodyWasAskedToStop()
    {
        for (var round = 0; round < 6; round++)
        {
            var run = await StartAsync();
            var cancelled = false;
            await AtOnceAsync(2, async i =>
            {
                if (i == 0)
                    return await Get<JobTransitions>().TryClaimAsync(TestProduct.Offer()) is not null;
                try
                {
                    await Control.CancelAsync(run.RunId, Product.Alice);
                    return cancelled = true;
                }
                catch (LlmOpsException e) when (e.Code == ErrorCode.ResourceConflict)
                {
                    return false;
                }
            });
            var job = await ReadAsync(db => db.Jobs.SingleAsync());
            var stage = await run.StageAsync("data");
            Assert.Equal((job.State == JobState.Running, job.State == JobState.Cancelled), (stage.State == StageState.Running, stage.State == StageState.Cancelled));
            Assert.Equal(cancelled, job.CancelRequested);
            Assert.Equal(cancelled ? StageState.Cancelled : StageState.Pending, (await run.StageAsync("join")).State);
            await Product.WriteAsync(db => db.Jobs.ExecuteDelete());
        }
    }
}

public sealed class ControlPipelineOnSqlite() : ControlPipelineTests(DatabaseProvider.Sqlite);

public sealed class ControlPipelineOnPostgres() : ControlPipelineTests(DatabaseProvider.Postgres);
