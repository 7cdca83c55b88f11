using System.Diagnostics;
using System.Globalization;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.TestKit;

namespace LlmOps.Benchmarks;

/// <summary>Row scores in a real database: writing a million, filtering them, and answering the comparison of two runs, cold and kept in memory.</summary>
internal static class ComparisonScale
{
    public const string Command = "compare";
    private const int Runs = 10;
    private const int Turns = 7;

    public static async Task RunAsync(string provider, int rows)
    {
        await using var product = await TestProduct.CreateAsync(Enum.Parse<DatabaseProvider>(provider, ignoreCase: true));
        var version = await product.VersionAsync("scale-lm", [.. Enumerable.Range(0, Runs).Select(i => $"v{i}")]);
        var runs = new List<EvaluationRun>();
        for (var i = 0; i < Runs; i++)
            runs.Add(await product.EvaluationAsync(version.Id, $"v{i}", new Dictionary<string, double[]> { ["size"] = [1] }));
        var clock = Stopwatch.StartNew();
        foreach (var (i, run) in runs.Index())
            await WriteAsync(product, run.Id, i, rows);
        Console.WriteLine(Say($"{provider}: {Runs * rows:N0} row scores written in {clock.Elapsed.TotalSeconds:f1} s ({Runs * rows / clock.Elapsed.TotalSeconds:N0} rows/s)"));

        await TimeAsync("first page of the worst rows of one run", _ => product.Get<ReadRowScores>().ListAsync(runs[3].Id, new("preference"), 0, 50));
        await TimeAsync("first page of its wrong rows in one slice", _ => product.Get<ReadRowScores>().ListAsync(runs[3].Id, new("preference", Slice: "slice 4", Outcome: "wrong"), 0, 50));
        await TimeAsync("rows counted by task and slice", _ => product.Get<ReadRowScores>().TasksAsync(runs[3].Id));
        await CompareAsync(product, runs, rows, "rows read one by one");
        clock.Restart();
        foreach (var run in runs)
            await PackAsync(product, run);
        Console.WriteLine(Say($"columns of {Runs} runs packed in {clock.Elapsed.TotalSeconds:f1} s"));
        await CompareAsync(product, runs, rows, "packed columns");
    }

    /// <summary>What a worker does when a run ends.</summary>
    private static async Task PackAsync(TestProduct product, EvaluationRun run)
    {
        await using var db = product.Open();
        var ended = product.Clock.GetUtcNow();
        await PackColumns.AddAsync(db, run, ended, default);
        (await db.EvaluationRuns.FindAsync(run.Id))!.EndedAt = ended;
        await db.SaveChangesAsync();
    }

    private static async Task CompareAsync(TestProduct product, List<EvaluationRun> runs, int rows, string how)
    {
        foreach (var task in new[] { "preference", "corpus" })
        {
            var half = task == "preference" ? (runs[0].Id, runs[1].Id) : (runs[5].Id, runs[6].Id);
            await TimeAsync($"comparison of 2 × {rows:N0} rows of {task}, {how}, nothing in memory", _ => new CompareRuns(product.Dbs, new(product.Dbs)).CompareAsync(half.Item1, half.Item2));
            await TimeAsync($"the same again, kept", _ => product.Get<CompareRuns>().CompareAsync(half.Item1, half.Item2));
            await TimeAsync("first page of the rows that regressed, nothing in memory", _ => new CompareRuns(product.Dbs, new(product.Dbs)).RowsAsync([half.Item1, half.Item2], task, RowFilters.Regressed, 0, 50));
            await TimeAsync("the same again, kept", _ => product.Get<CompareRuns>().RowsAsync([half.Item1, half.Item2], task, RowFilters.Regressed, 0, 50));
        }
    }

    /// <summary>The first half of the runs are shares, the second half bits per byte: a test in closed form, and one that resamples.</summary>
    private static async Task WriteAsync(TestProduct product, Guid run, int index, int rows)
    {
        var random = new Random(index + 1);
        var shared = new Random(0);
        var prompt = new string('p', 160);
        foreach (var chunk in Enumerable.Range(0, rows).Chunk(10_000))
            await product.WriteAsync(db => db.RowScores.AddRange(chunk.Select(i =>
            {
                var hard = shared.NextDouble();
                return new RowScore
                {
                    EvaluationRunId = run, Task = index < Runs / 2 ? "preference" : "corpus", RowKey = i.ToString("x16", CultureInfo.InvariantCulture), Slice = $"slice {i % 8}", Prompt = prompt, Answer = "an answer",
                    Value = index < Runs / 2 ? random.NextDouble() < 0.05 ? hard < 0.5 ? 1 : 0 : hard < 0.5 ? 0 : 1 : 100 + 100 * hard + random.NextDouble(), Weight = index < Runs / 2 ? 1 : 80 + i % 40,
                };
            })));
    }

    private static async Task TimeAsync(string what, Func<int, Task> act)
    {
        await act(-1);      // compiled and connected once
        var times = new List<double>();
        for (var i = 0; i < Turns; i++)
        {
            var clock = Stopwatch.StartNew();
            await act(i);
            times.Add(clock.Elapsed.TotalMilliseconds);
        }
        times.Sort();
        Console.WriteLine(Say($"  {what}: {times[Turns / 2]:f1} ms ({times[0]:f1}–{times[^1]:f1}), n = {Turns}"));
    }

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
