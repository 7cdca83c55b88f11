using System.Text.Json;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Jobs;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.EndToEnd.Tests;

/// <summary>An evaluation of 10,000 rows in a real process that is killed in the middle.</summary>
public sealed class KilledEvaluationTests
{
    private const int RowCount = 10_000;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task FinishedRowsStay_AndTotalsEqualAnUninterruptedRun_WhenKilledInTheMiddle()
    {
        using var data = new TemporaryFolder();
        var checkpoint = Path.Combine(data.Path, "tiny");
        TinyModels.WriteLlama(checkpoint);
        var rows = Path.Combine(data.Path, "rows.jsonl");
        await File.WriteAllLinesAsync(rows, Enumerable.Range(0, RowCount).Select(Row), TestContext.Current.CancellationToken);
        await RunAsync("import-model", checkpoint, "--name", "tiny", "--data-folder", data.Path);
        await RunAsync("suite", "import", rows, "--name", "many", "--data-folder", data.Path);
        string[] evaluate = ["eval", "--suite", "many/1", "--version", "tiny/1", "--variants", "checkpoint", "--data-folder", data.Path];

        await using (var first = Start(evaluate))
        {
            await first.UntilAsync(async () => await CountAsync(data.Path) > RowCount / 5, Patience);
            await first.KillAsync();
        }
        var before = await RowsAsync(data.Path, 0);
        Assert.InRange(before.Count, RowCount / 5, RowCount - 1);
        await RunAsync(evaluate);

        var resumed = await RowsAsync(data.Path, 0);
        Assert.Equal(RowCount, resumed.Count);
        Assert.Equal(RowCount, resumed.Select(r => r.RowKey).Distinct().Count());
        // Each row that was there is there still, as the same row of the table.
        var byId = resumed.ToDictionary(r => r.Id);
        Assert.All(before, r => Assert.Equal((r.RowKey, r.Value, r.Weight), (byId[r.Id].RowKey, byId[r.Id].Value, byId[r.Id].Weight)));

        await RunAsync(evaluate);
        var whole = (await RowsAsync(data.Path, 1)).ToDictionary(r => r.RowKey);
        Assert.All(resumed, r => Assert.Equal((r.Value, r.Weight), (whole[r.RowKey].Value, whole[r.RowKey].Weight)));
        await using var db = Open(data.Path);
        var metrics = await db.EvaluationMetrics.OrderBy(m => m.EvaluationRunId).ToListAsync(TestContext.Current.CancellationToken);
        Assert.Equal(2, metrics.Count);
        Assert.Equal((metrics[1].Value, metrics[1].Low, metrics[1].High, RowCount), (metrics[0].Value, metrics[0].Low, metrics[0].High, metrics[0].N));
        Assert.Equal(2, await db.Jobs.CountAsync(j => j.State == JobState.Succeeded, TestContext.Current.CancellationToken));
        Assert.Equal(2, await db.EvaluationRuns.CountAsync(r => r.State == JobState.Succeeded, TestContext.Current.CancellationToken));
    }

    private static string Row(int i) => JsonSerializer.Serialize(new { text = $"{string.Join(' ', Enumerable.Repeat(i % 2 == 0 ? "a word is" : "the dog", i % 5 + 1))} number {i}" });

    private static ProductProcess Start(params string[] arguments) => ProductProcess.Start(Repository.Built("LlmOps.Cli", "llmops.dll"), arguments, new Dictionary<string, string> { ["Worker__PollMs"] = "100" });

    private static async Task RunAsync(params string[] arguments)
    {
        await using var process = Start(arguments);
        Assert.True(await process.ExitCodeAsync(Patience) == 0, process.Output);
    }

    private static async Task<int> CountAsync(string data)
    {
        try
        {
            await using var db = Open(data);
            return await db.RowScores.CountAsync();
        }
        catch (Microsoft.Data.Sqlite.SqliteException)
        {
            return 0;     // busy for a moment
        }
    }

    /// <summary>Rows of the n-th run.</summary>
    private static async Task<List<RowScore>> RowsAsync(string data, int run)
    {
        await using var db = Open(data);
        var id = await db.EvaluationRuns.OrderBy(r => r.StartedAt).Select(r => r.Id).Skip(run).FirstAsync();
        return await db.RowScores.AsNoTracking().Where(r => r.EvaluationRunId == id).ToListAsync();
    }

    private static LlmOpsDb Open(string data)
    {
        var options = new DbContextOptionsBuilder<LlmOpsDb>();
        DatabaseSetup.UseSqlite(options, $"Data Source={Path.Combine(data, "llmops.db")};Mode=ReadOnly;Pooling=False");
        return new LlmOpsDb(options.Options);
    }
}
