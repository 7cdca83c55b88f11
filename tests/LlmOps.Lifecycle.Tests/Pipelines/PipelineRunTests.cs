using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Promotion;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Pipelines;

/// <summary>How a run goes on by itself.</summary>
public abstract class PipelineRunTests(DatabaseProvider provider) : ProductTests(provider)
{
    internal const string Diamond = """
        name: diamond
        stages:
          - name: data
            kind: import-data
            with: { source: data, name: facts }
          - name: left
            kind: train-tokenizer
            with: { corpus: "${data.corpus}" }
          - name: right
            kind: train-tokenizer
            with: { corpus: "${data.corpus}", vocabulary_size: 512 }
          - name: join
            kind: pretrain
            needs: [right]
            with: { corpus: "${data.corpus}", tokenizer: "${left.tokenizer}", model: tiny-lm }
        """;

    internal const string WithApproval = """
        name: release
        stages:
          - name: gate
            kind: gate
            with: { version: tiny-lm/1, rules: ["size_bytes <= 1000"] }
          - name: approve
            kind: approve
            with: { version: "${gate.version}", variant: "${gate.variant}" }
          - name: deploy
            kind: deploy
            with: { name: chat, type: chat, version: "${approve.version}", variant: "${approve.variant}" }
        """;

    private Task<PipelineDriver> StartAsync(string yaml) => PipelineDriver.StartAsync(Product, yaml);

    [Fact]
    public async Task Start_QueuesOnlyTheStages_ThatNeedNothing()
    {
        var run = await StartAsync(Diamond);
        Assert.Equal("data Queued, left Pending, right Pending, join Pending", await run.StatesAsync());
        Assert.Equal(1, await CountAsync(db => db.Jobs));
    }

    [Fact]
    public async Task Stage_GetsItsReferencesResolved_WhenItsNeedsAreMet()
    {
        var run = await StartAsync(Diamond);
        await run.SucceedAsync("data", ("corpus", "facts \"quoted\"/1"));
        Assert.Equal("data Succeeded, left Queued, right Queued, join Pending", await run.StatesAsync());
        Assert.Equal(("facts \"quoted\"/1", 3072), (await run.ParametersAsync<TrainTokenizerParameters>("left")) switch { var p => (p.Corpus, p.VocabularySize) });
        Assert.Equal(512, (await run.ParametersAsync<TrainTokenizerParameters>("right")).VocabularySize);
    }

    [Fact]
    public async Task Join_IsQueuedOnce_WhenItsBranchesFinishAtTheSameTime()
    {
        for (var round = 0; round < 5; round++)
        {
            var run = await StartAsync(Diamond);
            await run.SucceedAsync("data", ("corpus", "facts/1"));
            await run.ClaimAsync("left");
            await run.ClaimAsync("right");
            await AtOnceAsync(2, async i =>
            {
                await run.SucceedAsync(i == 0 ? "left" : "right", ("tokenizer", "abc"));
                return true;
            });
            Assert.Equal("data Succeeded, left Succeeded, right Succeeded, join Queued", await run.StatesAsync());
            Assert.Equal(1, await run.JobsOfAsync("join"));
        }
    }

    [Fact]
    public async Task Advance_ChangesNothing_WhenRepeated()
    {
        var run = await StartAsync(Diamond);
        await run.EndAsync("data", ("corpus", "facts/1"));
        await AtOnceAsync(6, async _ => { await Get<AdvancePipelines>().AdvanceAllAsync(); return true; });
        await Get<AdvancePipelines>().AdvanceAllAsync();
        Assert.Equal((1, 1), (await run.JobsOfAsync("left"), await run.JobsOfAsync("right")));
    }

    [Fact]
    public async Task Run_Succeeds_WhenEveryStageDid()
    {
        var run = await StartAsync(Diamond);
        await run.SucceedAsync("data", ("corpus", "facts/1"));
        await run.SucceedAsync("left", ("tokenizer", "abc"));
        await run.SucceedAsync("right", ("tokenizer", "abc"));
        Assert.Equal(PipelineState.Running, (await run.RunAsync()).State);
        await run.SucceedAsync("join", ("version", "tiny-lm/1"));
        Assert.Equal(PipelineState.Succeeded, (await run.RunAsync()).State);
        Assert.NotNull((await run.RunAsync()).EndedAt);
    }

    [Fact]
    public async Task FailedBranch_LetsTheOtherFinish_ThenFailsTheRun()
    {
        var run = await StartAsync(Diamond);
        await run.SucceedAsync("data", ("corpus", "facts/1"));
        await run.FailAsync("left", "No such corpus.");
        Assert.Equal(PipelineState.Running, (await run.RunAsync()).State);
        await run.SucceedAsync("right", ("tokenizer", "abc"));
        Assert.Equal("data Succeeded, left Failed, right Succeeded, join Pending", await run.StatesAsync());
        Assert.Equal(PipelineState.Failed, (await run.RunAsync()).State);
        Assert.Equal("No such corpus.", (await run.StageAsync("left")).Error);
    }

    [Fact]
    public async Task Stage_Fails_WhenAnEarlierOneGaveNoSuchOutput()
    {
        var run = await StartAsync(Diamond);
        await run.SucceedAsync("data", ("preferences", "facts/1"));
        Assert.Equal("data Succeeded, left Failed, right Failed, join Pending", await run.StatesAsync());
        Assert.Contains("${data.corpus} has no value", (await run.StageAsync("left")).Error, StringComparison.Ordinal);
        Assert.Equal(PipelineState.Failed, (await run.RunAsync()).State);
    }

    [Fact]
    public async Task HumanStage_AsksForApproval_AndGoesOnWhenItIsGiven()
    {
        var version = await Product.VersionAsync("tiny-lm", "int8");
        var run = await StartAsync(WithApproval);
        await run.SucceedAsync("gate", ("version", "tiny-lm/1"), ("variant", "int8"));
        Assert.Equal("gate Succeeded, approve WaitingForApproval, deploy Pending", await run.StatesAsync());
        Assert.Equal(PipelineState.WaitingForApproval, (await run.RunAsync()).State);
        Assert.Equal(0, await run.JobsOfAsync("approve"));
        var request = await ReadAsync(db => db.Approvals.SingleAsync());
        Assert.Equal((version.Id, "int8", "production", Product.Alice.Id), (request.VersionId, request.VariantName, request.AliasName, request.RequestedById));
        Assert.Contains("request-promotion approval", await Product.AuditAsync());
        await Get<DecideApproval>().ApproveAsync(request.Id, "fine", Product.Rosa);
        Assert.Equal("gate Succeeded, approve Succeeded, deploy Queued", await run.StatesAsync());
        Assert.Equal(("tiny-lm/1", "int8"), (await run.ParametersAsync<DeployParameters>("deploy")) switch { var p => (p.Version, p.Variant) });
    }

    [Fact]
    public async Task RejectedStage_FailsWithTheComment_AndAsksAgainWhenResumed()
    {
        await Product.VersionAsync("tiny-lm", "int8");
        var run = await StartAsync(WithApproval);
        await run.SucceedAsync("gate", ("version", "tiny-lm/1"), ("variant", "int8"));
        await Get<DecideApproval>().RejectAsync((await ReadAsync(db => db.Approvals.SingleAsync())).Id, "Too slow.", Product.Rosa);
        Assert.Equal(PipelineState.Failed, (await run.RunAsync()).State);
        Assert.Contains("Too slow.", (await run.StageAsync("approve")).Error, StringComparison.Ordinal);
        await Get<ControlPipeline>().ResumeAsync(run.RunId, Product.Alice);
        Assert.Equal([ApprovalState.Rejected, ApprovalState.WaitingForApproval], await ReadAsync(db => db.Approvals.OrderBy(a => a.CreatedAt).Select(a => a.State).ToListAsync()));
    }

    [Fact]
    public async Task RunNumbers_AreConsecutive_WhenManyStartAtOnce()
    {
        await Get<StartPipeline>().DefineAsync(Diamond, "", Product.Alice);
        await AtOnceAsync(8, _ => Get<StartPipeline>().StartAsync("diamond", Product.Alice));
        Assert.Equal(Enumerable.Range(1, 8), await ReadAsync(db => db.PipelineRuns.Select(r => r.Number).OrderBy(n => n).ToListAsync()));
        Assert.Equal(8, await CountAsync(db => db.Jobs));
    }

    [Fact]
    public async Task Define_KeepsTheRevision_WhenNothingChanged()
    {
        var first = await Get<StartPipeline>().DefineAsync(Diamond, "", Product.Alice);
        var again = await Get<StartPipeline>().DefineAsync(Diamond, "", Product.Alice);
        var changed = await Get<StartPipeline>().DefineAsync(Diamond + "\ndescription: new", "", Product.Alice);
        Assert.Equal((1, 1, 2), (first.Revision, again.Revision, changed.Revision));
        Assert.Equal(first.Id, changed.Id);
    }

    [Fact]
    public async Task Run_KeepsTheYaml_ItWasStartedWith()
    {
        var run = await StartAsync(Diamond);
        await Get<StartPipeline>().DefineAsync(Diamond + "\ndescription: new", "", Product.Alice);
        Assert.Equal(Diamond, (await run.RunAsync()).Yaml);
    }

    [Fact]
    public async Task Start_RefusesAnUnknownPipeline() => await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<StartPipeline>().StartAsync("nothing", Product.Alice));
}

public sealed class PipelineRunsOnSqlite() : PipelineRunTests(DatabaseProvider.Sqlite);

public sealed class PipelineRunsOnPostgres() : PipelineRunTests(DatabaseProvider.Postgres);
