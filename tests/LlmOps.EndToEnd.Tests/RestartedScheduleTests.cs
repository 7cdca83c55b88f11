using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.EndToEnd.Tests;

/// <summary>Schedules that came due while no process was there, with the real clock of real processes, one of which is killed.</summary>
public sealed class RestartedScheduleTests
{
    // A beat of the clock is a minute.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private const string Nothing = """
        name: nothing
        stages:
          - name: data
            kind: import-data
            with: { source: data, name: facts }
        """;

    [Fact]
    public async Task DueThreeTimesWhileDown_RunsOnce_AndNotAgainAfterAKill()
    {
        await using var product = await TestProduct.CreateAsync(DatabaseProvider.Sqlite);
        var now = DateTimeOffset.UtcNow;
        // Due ten minutes ago, and every hour before: nothing more comes due while this test runs.
        var cron = $"{now.AddMinutes(-10).Minute} * * * *";
        product.Clock.Set(now.AddHours(-2).AddMinutes(-15));
        await product.Get<StartPipeline>().DefineAsync(Nothing, "", product.Alice);
        var first = await CreateAsync(product, "first", cron);
        // Nothing works here: what is started waits in the queue.
        var settings = new Dictionary<string, string>(product.ProcessSettings) { ["Worker__Embedded"] = "false", ["Logging__LogLevel__Default"] = "Warning" };

        await using (var web = await WebProcess.StartAsync(settings))
        {
            await web.Process.UntilAsync(async () => await FiringsAsync(product, first) > 0, Patience);
            await web.Process.KillAsync();
        }
        // The next process has to look at both: when this one has fired, the first one has been looked at too.
        var second = await CreateAsync(product, "second", cron);
        await using (var web = await WebProcess.StartAsync(settings))
            await web.Process.UntilAsync(async () => await FiringsAsync(product, second) > 0, Patience);

        foreach (var schedule in new[] { first, second })
        {
            var firing = await product.ReadAsync(db => db.ScheduleFirings.AsNoTracking().SingleAsync(f => f.ScheduleId == schedule));
            Assert.Equal((2, FiringOutcome.Started), (firing.Missed, firing.Outcome));
            Assert.InRange(now - firing.DueAt, TimeSpan.FromMinutes(9), TimeSpan.FromMinutes(11));
        }
        Assert.Equal(2, await product.ReadAsync(db => db.PipelineRuns.CountAsync()));
    }

    private static async Task<Guid> CreateAsync(TestProduct product, string name, string cron) =>
        (await product.Get<ManageSchedules>().CreateAsync(new ScheduleRequest(name, cron, "UTC", Pipeline: "nothing", Overlap: OverlapPolicy.Queue, CatchUp: CatchUpPolicy.Once), product.Alice)).Id;

    private static Task<int> FiringsAsync(TestProduct product, Guid schedule) => product.ReadAsync(db => db.ScheduleFirings.CountAsync(f => f.ScheduleId == schedule));
}
