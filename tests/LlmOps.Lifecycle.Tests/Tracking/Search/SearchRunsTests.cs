using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Tracking.Search;
using LlmOps.TestKit;

namespace LlmOps.Lifecycle.Tests.Tracking.Search;

/// <summary>What the database finds, against the same question answered in memory.</summary>
public abstract class SearchRunsTests(DatabaseProvider provider) : ProductTests(provider)
{
    private const int Runs = 60;
    private Guid experiment;
    private List<LoggedRun> all = [];

    /// <summary>Runs with every combination: some lack the metric, some have no number for it, some share a start time.</summary>
    private async Task FillAsync()
    {
        experiment = await Get<CreateExperiment>().CreateAsync("searched", null, [], Product.Alice);
        for (var i = 0; i < Runs; i++)
        {
            var run = await Get<StartRun>().StartAsync(new(experiment, $"run-{i}", i % 2 == 0 ? "alice" : "Bob", DateTimeOffset.FromUnixTimeMilliseconds(1_000_000 + i / 3 * 10), [new("team", i % 4 == 0 ? "core" : "Edge")]));
            List<LoggedMetric> metrics = [new("loss", 100 - i, DateTimeOffset.FromUnixTimeMilliseconds(5), 1)];
            if (i % 5 != 0)
                metrics.Add(new("acc", i % 7 == 0 ? double.NaN : i % 10 / 10.0, DateTimeOffset.FromUnixTimeMilliseconds(5), 1));
            await Get<WriteGroups>().WriteAsync(LogBatch.Checked(run.Id, metrics, [new("lr", i % 3 == 0 ? "0.1" : "0.01"), .. i == 17 ? new[] { new KeyValue("rare", "yes") } : []], []));
            if (i % 6 == 0)
                await Get<ChangeRun>().UpdateAsync(run.Id, RunState.Succeeded, DateTimeOffset.FromUnixTimeMilliseconds(2_000_000 + i), null);
            if (i % 9 == 0)
                await Get<LogInputs>().InputsAsync(run.Id, [new($"data-{i % 2}", "d1", "local", "{}", null, null, [new("mlflow.data.context", "training")])], []);
        }
        all = [.. (await Get<SearchRuns>().SearchAsync(new([experiment]))).Items];
        Assert.Equal(Runs, all.Count);
    }

    private static double? Metric(LoggedRun run, string key) => run.Metrics.SingleOrDefault(m => m.Key == key)?.Number;

    private static string? Param(LoggedRun run, string key) => run.Params.SingleOrDefault(p => p.Key == key)?.Value;

    private static string Team(LoggedRun run) => run.Tags.Single(t => t.Key == "team").Value;

    private static int Number(LoggedRun run) => int.Parse(run.Name.Split('-')[1], System.Globalization.CultureInfo.InvariantCulture);

    [Fact]
    public async Task Filters_FindWhatTheyMean()
    {
        await FillAsync();
        (string Filter, Func<LoggedRun, bool> Meaning)[] table =
        [
            ("metrics.acc > 0.5", r => Metric(r, "acc") > 0.5),
            ("metrics.acc <= 0.1", r => Metric(r, "acc") <= 0.1),
            ("metrics.acc != 0.3", r => Metric(r, "acc") is { } v && v != 0.3),
            ("metrics.acc = 0.3", r => Metric(r, "acc") == 0.3),
            ("params.lr = '0.1'", r => Param(r, "lr") == "0.1"),
            ("params.lr != '0.1'", r => Param(r, "lr") != "0.1"),
            ("params.rare = 'yes'", r => Number(r) == 17),
            ("params.rare = 'no'", _ => false),
            ("params.lr LIKE '0.0_'", r => Param(r, "lr") == "0.01"),
            ("tags.team = 'core'", r => Team(r) == "core"),
            ("tags.team LIKE 'c%'", r => Team(r) == "core"),
            ("tags.team LIKE 'edge'", _ => false),
            ("tags.team ILIKE 'edge'", r => Team(r) == "Edge"),
            ("tags.team IN ('core', 'x')", r => Team(r) == "core"),
            ("params.rare IS NULL", r => Number(r) != 17),
            ("params.rare IS NOT NULL", r => Number(r) == 17),
            ("status = 'FINISHED'", r => r.State == RunState.Succeeded),
            ("attributes.status != 'FINISHED'", r => r.State != RunState.Succeeded),
            ("status LIKE 'F%'", r => r.State == RunState.Succeeded),
            ("run_name = 'run-5'", r => Number(r) == 5),
            ("`run name` LIKE 'run-1%'", r => r.Name.StartsWith("run-1", StringComparison.Ordinal)),
            ("user_id = 'Bob'", r => r.User == "Bob"),
            ("start_time >= 1000100", r => r.StartedAt.ToUnixTimeMilliseconds() >= 1_000_100),
            ("created < 1000100", r => r.StartedAt.ToUnixTimeMilliseconds() < 1_000_100),
            ("end_time > 0", r => r.EndedAt is not null),
            ($"run_id = '{TrackingKeys.Text(all[3].Id)}'", r => r.Id == all[3].Id),
            ($"run_id IN ('{TrackingKeys.Text(all[3].Id)}', 'nonsense')", r => r.Id == all[3].Id),
            ($"run_id NOT IN ('{TrackingKeys.Text(all[3].Id)}')", r => r.Id != all[3].Id),
            ($"artifact_uri = 'mlflow-artifacts:/{TrackingKeys.Text(experiment)}/{TrackingKeys.Text(all[3].Id)}/artifacts'", r => r.Id == all[3].Id),
            ("dataset.name = 'data-1'", r => Number(r) % 9 == 0 && Number(r) % 2 == 1),
            ("datasets.context = 'training' AND dataset.digest LIKE 'd%'", r => Number(r) % 9 == 0),
            ("metrics.acc > 0.2 AND params.lr = '0.01' AND tags.team = 'Edge' AND status = 'RUNNING'", r => Metric(r, "acc") > 0.2 && Param(r, "lr") == "0.01" && Team(r) == "Edge" && r.State == RunState.Running),
            ("params.rare = 'yes' OR tags.team = 'core'", r => Number(r) == 17 || Team(r) == "core"),
            ("(params.lr = '0.1' OR metrics.acc > 0.8) AND user_id = 'alice'", r => (Param(r, "lr") == "0.1" || Metric(r, "acc") > 0.8) && r.User == "alice"),
        ];
        foreach (var (filter, meaning) in table)
        {
            var found = (await Get<SearchRuns>().SearchAsync(new([experiment], filter))).Items;
            Assert.True(found.Select(Number).SequenceEqual(all.Where(meaning).Select(Number)), $"{filter}: found {string.Join(' ', found.Select(Number))}, expected {string.Join(' ', all.Where(meaning).Select(Number))}");
        }
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData("metrics.acc DESC", null)]
    [InlineData("metrics.acc ASC", "tags.team = 'Edge'")]
    [InlineData("metrics.acc", "metrics.acc > 0.1")]
    [InlineData("metrics.loss DESC", "params.rare IS NULL")]
    [InlineData("metrics.nowhere DESC", null)]
    [InlineData("params.lr DESC", "metrics.loss > 50")]
    [InlineData("tags.team ASC", null)]
    [InlineData("start_time ASC", null)]
    [InlineData("end_time DESC", null)]
    [InlineData("status DESC", null)]
    [InlineData("run_name ASC", null)]
    public async Task Pages_GiveEveryRunOnce_InTheOrderOfTheWhole(string? order, string? filter)
    {
        await FillAsync();
        string[] by = order is null ? [] : [order];
        var whole = (await Get<SearchRuns>().SearchAsync(new([experiment], filter, OrderBy: by))).Items;
        var expected = all.Where(r => filter is null || whole.Any(w => w.Id == r.Id));
        if (order is not null && order.StartsWith("metrics.", StringComparison.Ordinal))
        {
            var (key, descending) = (order.Split('.', ' ')[1], order.EndsWith("DESC", StringComparison.Ordinal));
            // those with a number, then those that are none, then those without; the newest first among equals, as in the list
            expected = expected.OrderBy(r => Metric(r, key) is { } v ? double.IsNaN(v) ? 1 : 0 : 2).ThenBy(r => Metric(r, key) is { } v && !double.IsNaN(v) ? descending ? -v : v : 0);
            Assert.Equal(expected.Select(Number), whole.Select(Number));
        }
        foreach (var size in new[] { 1, 7, 48 })
        {
            var paged = new List<LoggedRun>();
            string? token = null;
            do
            {
                var page = await Get<SearchRuns>().SearchAsync(new([experiment], filter, MaxResults: size, OrderBy: by, PageToken: token));
                Assert.InRange(page.Items.Count, paged.Count == 0 && whole.Count == 0 ? 0 : 1, size);
                paged.AddRange(page.Items);
                token = page.NextPageToken;
            }
            while (token is not null);
            Assert.Equal(whole.Select(Number), paged.Select(Number));
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("start_time DESC")]
    public async Task CommonValues_AreReadNewestFirst_InTheOrderOfTheWhole(string? order)
    {
        var (here, there) = (new Experiment { Name = "here", CreatedAt = Product.Clock.GetUtcNow() }, new Experiment { Name = "there", CreatedAt = Product.Clock.GetUtcNow() });
        // More than are counted as few; some start at the same time, some are deleted, and another experiment has the same values.
        var random = new Random(5);
        var runs = Enumerable.Range(0, 3600).Select(i => Made(i % 9 == 0 ? there : here, i, random)).ToList();
        await using (var db = Product.Open())
        {
            db.AddRange(here, there);
            db.AddRange(runs);
            await db.SaveChangesAsync();
        }
        string[] by = order is null ? [] : [order];
        foreach (var filter in new[] { "params.lr = '0.1' AND tags.team = 'core'", "tags.team = 'core' AND params.lr = '0.1' AND attributes.status = 'RUNNING'" })
        {
            var expected = runs.Where(r => r.ExperimentId == here.Id && r.DeletedAt is null && r.Params[0].Value == "0.1" && r.Tags[0].Value == "core").OrderByDescending(r => r.StartedAt).ThenBy(r => r.Id).Select(r => r.Name).ToList();
            Assert.InRange(expected.Count, 300, 1300);
            var (found, token) = (new List<string>(), (string?)null);
            do
            {
                var page = await Get<SearchRuns>().SearchAsync(new([here.Id], filter, MaxResults: 97, OrderBy: by, PageToken: token));
                found.AddRange(page.Items.Select(r => r.Name));
                token = page.NextPageToken;
            }
            while (token is not null);
            Assert.Equal(expected, found);
        }
    }

    private static Run Made(Experiment experiment, int i, Random random)
    {
        var at = DateTimeOffset.FromUnixTimeMilliseconds(1_000_000 + random.Next(500));
        return new()
        {
            ExperimentId = experiment.Id, Name = $"run-{i}", State = RunState.Running, CreatedBy = "alice", StartedAt = at, DeletedAt = i % 11 == 0 ? at : null,
            Params = [new() { ExperimentId = experiment.Id, StartedAt = at, Key = "lr", Value = i % 2 == 0 ? "0.1" : "0.01" }],
            Tags = [new() { ExperimentId = experiment.Id, StartedAt = at, Key = "team", Value = i % 8 < 5 ? "core" : "edge" }],
        };
    }

    [Fact]
    public async Task NewRuns_DoNotMoveAPage()
    {
        await FillAsync();
        var first = await Get<SearchRuns>().SearchAsync(new([experiment], MaxResults: 10));
        await Get<StartRun>().StartAsync(new(experiment, "run-99", "alice", null, [new("team", "core")]));
        var second = await Get<SearchRuns>().SearchAsync(new([experiment], MaxResults: 10, PageToken: first.NextPageToken));
        Assert.Equal(all.Skip(10).Take(10).Select(Number), second.Items.Select(Number));
    }

    [Theory]
    [InlineData("not-a-token")]
    [InlineData("e30")]
    [InlineData("eyJyZXN0Ijp0cnVlLCJ2YWx1ZXMiOlsiMSJdfQ")]
    public async Task ForeignToken_IsRefused(string token)
    {
        await FillAsync();
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<SearchRuns>().SearchAsync(new([experiment], PageToken: token)));
    }

    [Fact]
    public async Task RandomFilters_AreAnsweredOrRefused_ByTheDatabaseToo()
    {
        await FillAsync();
        var random = new Random(7);
        string[] keys = ["metrics.acc", "params.lr", "tags.team", "status", "run_id", "run_name", "start_time", "end_time", "dataset.name", "artifact_uri", "user_id", "tags.`it's`", "metrics.\"a;b\""];
        string[] values = ["'x'", "0.5", "('a','b')", "'%'", "'_'", "'[*?]'", "'\\'", "'😀'", "-1e300", "''", "'%%%%'", "12345678901234567890"];
        string[] operators = ["=", "!=", ">", ">=", "<", "<=", "LIKE", "ILIKE", "IN", "NOT IN"];
        var answered = 0;
        for (var i = 0; i < 400; i++)
        {
            var filter = string.Join(random.Next(2) == 0 ? " AND " : " OR ", Enumerable.Range(0, random.Next(1, 4)).Select(_ => $"{keys[random.Next(keys.Length)]} {operators[random.Next(operators.Length)]} {values[random.Next(values.Length)]}"));
            try
            {
                await Get<SearchRuns>().SearchAsync(new([experiment], filter, OrderBy: [keys[random.Next(8)]], MaxResults: 5));
                answered++;
            }
            catch (LlmOpsException e)
            {
                Assert.Equal(ErrorCode.InvalidParameterValue, e.Code);
            }
        }
        Assert.True(answered > 20, $"Only {answered} were answered: the test sees too little of the database.");
    }
}

public sealed class SearchRunsOnSqlite() : SearchRunsTests(DatabaseProvider.Sqlite);

public sealed class SearchRunsOnPostgres() : SearchRunsTests(DatabaseProvider.Postgres);
