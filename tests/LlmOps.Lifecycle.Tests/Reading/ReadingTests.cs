using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Lifecycle.Tracing;
using LlmOps.TestKit;

namespace LlmOps.Lifecycle.Tests.Reading;

/// <summary>What lists and detail pages read, with every filter: both databases must understand each query.</summary>
public abstract class ReadingTests(DatabaseProvider provider) : ProductTests(provider)
{
    [Fact]
    public async Task Pipelines_AreListedWithTheirLatestRun_AndRunsAreFiltered()
    {
        var lived = await LivedIn.MakeAsync(Product);
        var row = Assert.Single((await Get<ReadPipelines>().ListAsync("TINY", 0, 10)).Rows);
        Assert.Equal((1, lived.Run.Id), (row.Runs, row.Latest!.Id));
        Assert.Equal(1, (await Get<ReadPipelines>().RunsAsync(new("tiny", null, "alice"), 0, 10)).Total);
        Assert.Equal(0, (await Get<ReadPipelines>().RunsAsync(new(State: PipelineState.Succeeded), 0, 10)).Total);
        var run = await Get<ReadPipelineRun>().GetAsync(lived.Run.Id);
        Assert.Equal(["import", "tokenizer"], run.Stages.Select(s => s.Name));
        Assert.Equal(("row 3 is no JSON", 1), (run.Stages[0].Error, run.Stages[0].Attempt));
        Assert.Contains("facts", run.Stages[0].ResolvedJson!, StringComparison.Ordinal);
        Assert.Equal("tiny", Assert.Single(await Get<ReadSchedules>().ListAsync()).Pipeline);
    }

    [Fact]
    public async Task Jobs_SayWhereTheyBelong_AndTheirLogIsReadOnFromALine()
    {
        var lived = await LivedIn.MakeAsync(Product);
        var waiting = await Product.QueueAsync();
        await Product.QueueAsync();
        await Product.ClaimAsync("worker-2");
        var jobs = Get<ReadJobs>();
        Assert.Equal(("tiny", 1, "import"), Assert.Single(await jobs.OfStageAsync(lived.FailedJob.StageRunId!.Value)) is { } job ? (job.Pipeline, job.PipelineRunNumber, job.Stage) : default);
        var open = await jobs.OpenAsync(0, 10);
        Assert.Equal([JobState.Running, JobState.Queued], open.Rows.Select(j => j.State));
        Assert.Equal((waiting.Id, (string?)null), (open.Rows[0].Id, open.Rows[0].Pipeline));
        var log = await jobs.LogAsync(lived.FailedJob.Id, 0, 2);
        Assert.Equal(["line 0", "line 1"], log.Select(l => l.Text));
        Assert.Equal("error", Assert.Single(await jobs.LogAsync(lived.FailedJob.Id, log[^1].Id, 10)).Level);
        Assert.Equal("Alive", Assert.Single(await Get<ReadWorkers>().ListAsync()).StateAt(Product.Clock.GetUtcNow()));
    }

    [Fact]
    public async Task Evaluations_AreFilteredAndTheirRowsComeWorstFirst()
    {
        var lived = await LivedIn.MakeAsync(Product);
        var evaluations = Get<ReadEvaluations>();
        var page = await evaluations.ListAsync(new("quickstart", "tiny-lm", "int8"), 0, 10);
        Assert.Equal([lived.CandidateEvaluation, lived.ChampionEvaluation], page.Rows.Select(r => r.Id));
        Assert.Equal(0.8, page.Rows[0].Find(EvaluationTasks.Preference)!.Value, 3);
        Assert.Equal(0, (await evaluations.ListAsync(new(Search: "nothing"), 0, 10)).Total);
        Assert.Equal(["tiny-lm"], await evaluations.ModelsAsync());
        Assert.Equal("tiny-lm/2", (await evaluations.GetAsync(lived.CandidateEvaluation)).Row.Version);
        var rows = Get<ReadRowScores>();
        Assert.Equal(40, (await rows.TasksAsync(lived.CandidateEvaluation)).Single(t => t.Task == EvaluationTasks.Preference).Rows);
        Assert.Equal(0, (await rows.ListAsync(lived.CandidateEvaluation, new("preference"), 0, 5)).Rows[0].Value);
        Assert.Equal(8, (await rows.ListAsync(lived.CandidateEvaluation, new("preference", Outcome: "wrong"), 0, 5)).Total);
        Assert.Equal(1, (await rows.ListAsync(lived.CandidateEvaluation, new("preference", "0007", null), 0, 5)).Total);
        var pairs = await Get<CompareRuns>().PairsAsync(lived.ChampionEvaluation, lived.CandidateEvaluation, "preference", "improved", 0, 5);
        Assert.Equal((16, 5), (pairs.Total, pairs.Rows.Count));
    }

    [Fact]
    public async Task Approvals_SayWhoMaySign_AndWhatTheyAreComparedWith()
    {
        var lived = await LivedIn.MakeAsync(Product);
        var approvals = Get<ReadApprovals>();
        Assert.Equal(1, await approvals.CountWaitingAsync());
        Assert.Equal(lived.Waiting.Id, Assert.Single((await approvals.ListAsync(true, "TINY", 0, 10)).Rows).Id);
        Assert.Equal("rosa", Assert.Single((await approvals.ListAsync(false, null, 0, 10)).Rows).DecidedBy);
        var detail = await approvals.GetAsync(lived.Waiting.Id);
        Assert.Equal(["rolf"], detail.MaySign);
        Assert.Equal((lived.ChampionEvaluation, "int8"), (detail.ChampionRunId!.Value, detail.ChampionVariant));
        Assert.Equal("tiny-lm/1", detail.Evidence.Champion);
    }

    [Fact]
    public async Task Deployments_CountTheirRequests_AndKnowledgeIsFoundByName()
    {
        await LivedIn.MakeAsync(Product);
        var row = Assert.Single((await Get<ReadDeployments>().ListAsync("assist", DeploymentKind.Chat, 0, 10)).Rows);
        Assert.Equal((1, 2), (row.Requests, Assert.Single(row.Serving).Number));
        var detail = await Get<ReadDeployments>().GetAsync("assistant");
        Assert.Equal([2, 1], detail.Revisions.Select(r => r.Number));
        Assert.Equal((1, 0), (detail.ThumbsUp, detail.ThumbsDown));
        Assert.Equal(12, Assert.Single((await Get<ReadKnowledge>().ListAsync("hand", 0, 10)).Rows).Latest!.Chunks);
        Assert.Equal("tiny-lm/1", (await Get<ReadKnowledge>().GetAsync("handbook")).Builds[0].EmbeddingVersion);
    }

    [Fact]
    public async Task Traces_AreFoundByTextFeedbackAndOutcome()
    {
        var lived = await LivedIn.MakeAsync(Product);
        var traces = Get<ReadTraces>();
        var row = Assert.Single((await traces.ListAsync(new("ANIMAL", "assistant", "chat", "answered", "up"), 0, 10)).Rows);
        Assert.Equal((lived.TraceId, 1), (row.TraceId, row.ThumbsUp));
        Assert.Equal(0, (await traces.ListAsync(new(Outcome: "failed"), 0, 10)).Total);
        Assert.Equal(2, (await traces.GetAsync(lived.TraceId)).Spans.Count);
        Assert.Equal(["assistant"], await traces.DeploymentsAsync());
    }

    [Fact]
    public async Task People_HaveRoles_AndTheAuditIsFilteredByAll()
    {
        await LivedIn.MakeAsync(Product);
        Assert.Equal([Roles.Engineer], (await Get<ReadPeople>().ListAsync()).Single(p => p.UserName == "erin").Roles);
        var token = await Get<ManageTokens>().CreateAsync("ci", [Permission.Read], null, Product.Alice);
        Assert.Equal(token.Token.Prefix, Assert.Single(await Get<ReadPeople>().TokensAsync(Product.Alice.Id)).Prefix);
        var entries = await Get<ReadAudit>().ListAsync(new("rosa", "deployment", "deploy", "int8", "assistant"), 0, 10);
        Assert.True(entries.Total > 0);
        Assert.Contains("rosa", (await Get<ReadAudit>().ChoicesAsync()).Actors);
    }

    [Fact]
    public async Task WhatIsNotThere_IsSaid()
    {
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<ReadPipelines>().GetAsync("none"));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<ReadPipelineRun>().GetAsync(Guid.NewGuid()));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<ReadEvaluations>().GetAsync(Guid.NewGuid()));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<ReadApprovals>().GetAsync(Guid.NewGuid()));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<ReadDeployments>().GetAsync("none"));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<ReadKnowledge>().GetAsync("none"));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<ReadTraces>().GetAsync("none"));
    }
}

public sealed class ReadingOnSqlite() : ReadingTests(DatabaseProvider.Sqlite);

public sealed class ReadingOnPostgres() : ReadingTests(DatabaseProvider.Postgres);
