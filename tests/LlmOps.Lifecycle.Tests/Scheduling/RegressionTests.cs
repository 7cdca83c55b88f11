using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Lifecycle.Tests.Pipelines;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Scheduling;

/// <summary>"Every night, production against last week's production": the evaluations are played, the verdict is the product's own.</summary>
public abstract class RegressionTests(DatabaseProvider provider) : ProductTests(provider)
{
    private static RegressionSpec Spec(string baseline = "previous") => new()
    {
        Subject = "alias:tiny-lm@production", Baseline = baseline, Preferences = "pairs/1", Rules = ["preference.accuracy no-worse-than champion by 0.05"],
    };

    private Task<Schedule> CreateAsync(RegressionSpec spec) => Get<ManageSchedules>().CreateAsync(new ScheduleRequest("nightly-check", "0 3 * * *", "UTC", Regression: spec), Product.Alice);

    private static Dictionary<string, double[]> Right(int right) => new() { ["preference"] = [.. Enumerable.Range(0, 100).Select(i => i < right ? 1.0 : 0.0)] };

    private Task<List<ScheduleFiring>> FiringsAsync() => ReadAsync(db => db.ScheduleFirings.AsNoTracking().OrderBy(f => f.DueAt).ToListAsync());

    private async Task<PipelineDriver> FireAsync()
    {
        Product.Clock.Advance(TimeSpan.FromDays(1));
        Assert.Equal(1, await Get<FireSchedules>().FireDueAsync());
        return PipelineDriver.Of(Product, (await FiringsAsync())[^1].PipelineRunId!.Value);
    }

    private async Task EvaluatedAsync(PipelineDriver run, string stage, ModelVersion version, int right)
    {
        var p = await run.ParametersAsync<EvaluateParameters>(stage);
        Assert.Equal((version.Key().ToString(), "int8", "pairs/1", 500), (p.Version, Assert.Single(p.Variants), p.Preferences, p.MaxRows));
        await run.SucceedAsync(stage, ("version", p.Version), ("runs", (await Product.EvaluationAsync(version.Id, "int8", Right(right), p.Suite)).Id.ToString()));
    }

    private async Task CompareAsync(PipelineDriver run)
    {
        var verdict = await Get<JudgeRuns>().JudgeAsync(await run.ParametersAsync<CompareRunsParameters>("compare"));
        await run.EndAsync("compare", [.. verdict.ToOutputs().Select(o => (o.Key, o.Value))]);
        await Get<AdvancePipelines>().AdvanceAsync(run.RunId);
        Assert.Equal(PipelineState.Succeeded, (await run.RunAsync()).State);
        Assert.Equal(1, await Get<SettleFirings>().SettleAsync());
        Assert.Equal(0, await Get<SettleFirings>().SettleAsync());
    }

    private async Task NightAsync(ModelVersion version, int right)
    {
        var run = await FireAsync();
        await EvaluatedAsync(run, "evaluate-candidate", version, right);
        await CompareAsync(run);
    }

    [Fact]
    public async Task Firing_ComparesTheHolderOfTheAlias_WithItsHolderAWeekAgo()
    {
        var old = await Product.VersionAsync("tiny-lm", "int8");
        await Product.PromoteAsync(old, "int8");
        Product.Clock.Advance(TimeSpan.FromDays(8));
        var young = await Product.VersionAsync("tiny-lm", "int8");
        await Product.PromoteAsync(young, "int8");
        await CreateAsync(Spec("alias:tiny-lm@production"));
        await Get<ManageAlertRules>().CreateAsync(new NewAlertRule("nights", AlertConditions.Fail, [new AlertChannel(NotificationChannels.Page)], "nightly-check"), Product.Alice);

        var run = await FireAsync();
        await EvaluatedAsync(run, "evaluate-candidate", young, right: 60);
        await EvaluatedAsync(run, "evaluate-baseline", old, right: 90);
        await CompareAsync(run);

        var firing = Assert.Single(await FiringsAsync());
        Assert.Equal(Verdict.Fail, firing.Verdict);
        var incident = await ReadAsync(db => db.Incidents.SingleAsync());
        Assert.Equal("tiny-lm/2 int8 regressed on nightly-check", incident.Title);
        var detail = Json.Read<IncidentDetail>(incident.DetailJson);
        Assert.Equal((30, 20, "tiny-lm/1 int8"), (detail.RowsWorse, detail.Rows.Count, detail.Baseline));
        Assert.All(detail.Rows, r => Assert.Equal(("preference", 1.0, 0.0), (r.Task, r.BeforeScore, r.AfterScore)));
        var told = Assert.Single(await Get<ReadAlerts>().UnreadAsync(Product.Alice));
        Assert.Equal($"/incidents/{incident.Id}", told.Href);
        Assert.Contains("preference.accuracy", told.Text, StringComparison.Ordinal);
        Assert.Equal(["open incident"], (await Product.AuditAsync()).Where(a => a.EndsWith("incident", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Regression_StaysOneIncident_WhileItLasts_AndAPassClosesIt()
    {
        var version = await Product.VersionAsync("tiny-lm", "int8");
        await Product.PromoteAsync(version, "int8");
        await CreateAsync(Spec());
        await NightAsync(version, right: 90);
        Assert.StartsWith("No earlier firing", (await FiringsAsync())[0].Note, StringComparison.Ordinal);
        await NightAsync(version, right: 50);
        // What failed is no baseline: the second bad night is measured by the good one too, and fails again.
        await NightAsync(version, right: 50);
        Assert.Equal([Verdict.Pass, Verdict.Fail, Verdict.Fail], (await FiringsAsync()).Select(f => f.Verdict!.Value));
        var open = Assert.Single(await Get<ReadIncidents>().ListAsync(openOnly: true));
        Assert.Equal(2, open.Detail.Firings.Count);
        await Get<HandleIncident>().AcknowledgeAsync(open.Id, Product.Rosa);
        await NightAsync(version, right: 91);
        var closed = Assert.Single(await Get<ReadIncidents>().ListAsync());
        Assert.Equal(("Resolved", "system", "rosa"), (closed.State, closed.ResolvedBy, closed.AcknowledgedBy));
        Assert.Contains("closed without a person", closed.Note, StringComparison.Ordinal);
        await RefusedAsync(ErrorCode.ResourceConflict, () => Get<HandleIncident>().ResolveAsync(open.Id, "It was the cable.", Product.Alice));
    }

    [Fact]
    public async Task Run_ThatFails_RaisesNoIncident_ButTellsWhoAsked()
    {
        await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        await CreateAsync(Spec());
        await Get<ManageAlertRules>().CreateAsync(new NewAlertRule("broken", AlertConditions.Failed, [new AlertChannel(NotificationChannels.Page)]), Product.Alice);
        var run = await FireAsync();
        await run.FailAsync("evaluate-candidate", "The dataset is gone.");
        var settled = await AtOnceAsync(4, _ => Get<SettleFirings>().SettleAsync());
        Assert.Equal(1, settled.Sum());
        Assert.Contains("The dataset is gone.", Assert.Single(await Get<ReadAlerts>().UnreadAsync(Product.Alice)).Text, StringComparison.Ordinal);
        Assert.Equal(0, await CountAsync(db => db.Incidents));
        Assert.Null((await FiringsAsync())[0].Verdict);
    }

    [Fact]
    public async Task Missed_IsToldWhenItFires()
    {
        var (reader, other) = (await PersonAsync("reader"), await PersonAsync("other"));
        await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        await CreateAsync(Spec());
        await Get<ManageAlertRules>().CreateAsync(new NewAlertRule("downtime", AlertConditions.Missed, [new AlertChannel(NotificationChannels.Page)]), Product.Alice);
        Product.Clock.Advance(TimeSpan.FromDays(2));
        await FireAsync();
        var told = Assert.Single(await Get<ReadAlerts>().UnreadAsync(reader));
        Assert.Equal(("nightly-check: missed", "2 due times were missed."), (told.Title, told.Text));
        // Each person has a bell of their own, and a new account does not begin with a year of old news.
        await AtOnceAsync(4, _ => MarkAsync());
        Assert.Empty(await Get<ReadAlerts>().UnreadAsync(reader));
        Assert.Single(await Get<ReadAlerts>().UnreadAsync(other));
        Product.Clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Empty(await Get<ReadAlerts>().UnreadAsync(await PersonAsync("newcomer")));

        async Task<int> MarkAsync()
        {
            await Get<ReadAlerts>().MarkReadAsync(reader, told.CreatedAt);
            return 0;
        }
    }

    private async Task<Actor> PersonAsync(string name)
    {
        var made = await Get<ManagePeople>().CreateAsync(name, name, null, [Roles.Engineer], Product.Ada);
        return (await Get<ManagePeople>().FindActorAsync(made.Id))!;
    }

    [Theory]
    [InlineData("nobody", "previous", "names nothing that can be measured")]
    [InlineData("alias:tiny-lm@production", "deployment:chat", "cannot be a baseline")]
    [InlineData("version:tiny-lm/1", "previous", "names nothing that can be measured")]
    public async Task Create_RefusesWhatCannotBeMeasured(string subject, string baseline, string message) =>
        Assert.Contains(message, await RefusedAsync(ErrorCode.InvalidParameterValue, () => CreateAsync(Spec(baseline) with { Subject = subject })), StringComparison.Ordinal);
}

public sealed class RegressionsOnSqlite() : RegressionTests(DatabaseProvider.Sqlite);

public sealed class RegressionsOnPostgres() : RegressionTests(DatabaseProvider.Postgres);
