using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using LlmOps.Benchmarks.Load;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Benchmarks;

/// <summary>
/// The MLflow API of the real server, over HTTP: eight clients that log batches of 100 metrics, searches over many runs, and both for long while memory is watched.
/// Build LlmOps.Web in Release first.
/// </summary>
internal static class MlflowLoad
{
    public const string Command = "mlflow";
    private const int Clients = 8, Metrics = 100, LogTurns = 5, SearchTurns = 100;

    public static async Task RunAsync(string what, string provider, int amount)
    {
        await using var product = await TestProduct.CreateAsync(Enum.Parse<DatabaseProvider>(provider, ignoreCase: true));
        if (what == "search")
            await FillAsync(product, amount);
        await using var server = await LoadServer.StartAsync(product, [Permission.Read, Permission.RunPipelines]);
        switch (what)
        {
            case "search": Search(server, provider, amount); break;
            case "memory": await MemoryAsync(server, provider, amount); break;
            default: await LogAsync(product, server, provider, amount); break;
        }
    }

    private static async Task<List<string>> RunsAsync(LoadServer server)
    {
        using var client = new HttpClient { BaseAddress = server.Address };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", server.Token);
        var experiment = (await PostAsync(client, "/api/2.0/mlflow/experiments/create", """{"name":"load"}""")).GetProperty("experiment_id").GetString()!;
        var runs = new List<string>();
        for (var i = 0; i < Clients; i++)
            runs.Add((await PostAsync(client, "/api/2.0/mlflow/runs/create", $$"""{"experiment_id":"{{experiment}}"}""")).GetProperty("run").GetProperty("info").GetProperty("run_id").GetString()!);
        return runs;
    }

    private static async Task LogAsync(TestProduct product, LoadServer server, string provider, int seconds)
    {
        var runs = await RunsAsync(server);
        var (rates, sustained, p50, p99, sent) = (new List<double>(), new List<double>(), new List<double>(), new List<double>(), 0L);
        for (var turn = 0; turn <= LogTurns; turn++)
        {
            var (clock, before) = (Stopwatch.StartNew(), server.Work());
            var times = Pump(server, runs, TimeSpan.FromSeconds(turn == 0 ? Math.Min(3, seconds) : seconds), pause: TimeSpan.Zero);
            var elapsed = clock.Elapsed.TotalSeconds;
            sent += times.Count;
            // The turn has paid for its points when all of them are in the table.
            await StoredAsync(product, sent * Metrics);
            var whole = clock.Elapsed.TotalSeconds;
            var work = server.Work() - before;
            if (turn == 0)
                continue;
            rates.Add(times.Count / elapsed);
            sustained.Add(times.Count / whole);
            p50.Add(Turns.At(times, 0.5));
            p99.Add(Turns.At(times, 0.99));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{provider} turn {turn}: {rates[^1]:N0} requests/s acknowledged, {sustained[^1]:N0} with the time until all is in the table ({whole - elapsed:f2} s more), p50 {p50[^1]:f1} ms, p99 {p99[^1]:f1} ms, {work.For(times.Count, "a request")}, resident {server.ResidentMiB:f0} MiB"));
        }
        Console.WriteLine($"{provider} log-batch of {Metrics} metrics, {Clients} clients, n = {LogTurns} of {seconds} s: {Turns.Text(rates)} requests/s, {Turns.Text(sustained)} until in the table, p50 {Turns.Text(p50, "f1")} ms, p99 {Turns.Text(p99, "f1")} ms");
    }

    private static async Task StoredAsync(TestProduct product, long points)
    {
        for (var clock = Stopwatch.StartNew(); ; await Task.Delay(20))
        {
            await using var db = product.Open();
            db.Database.SetCommandTimeout(120);
            var stored = await db.Metrics.LongCountAsync();
            if (stored == points)
                return;
            if (stored > points || clock.Elapsed > TimeSpan.FromMinutes(2))
                throw new InvalidOperationException($"{stored} points are in the table, and {points} were acknowledged.");
        }
    }

    /// <returns>Sorted latencies in milliseconds.</returns>
    private static List<double> Pump(LoadServer server, IReadOnlyList<string> runs, TimeSpan length, TimeSpan pause)
    {
        var all = new List<double>();
        var threads = runs.Select(run => new Thread(() =>
        {
            using var client = new RawClient(server.Address);
            var body = new LogBatchBody(run, Metrics);
            var head = RawClient.Head("/api/2.0/mlflow/runs/log-batch", server.Token, "application/json", body.Bytes.Length);
            var times = new List<double>();
            for (var (clock, step) = (Stopwatch.StartNew(), Environment.TickCount64 * 1000); clock.Elapsed < length; step++)
            {
                body.Put(step % 100_000_000_000);
                var before = clock.Elapsed;
                var (status, _) = client.Send(head, body.Bytes);
                if (status != 200)
                    throw new InvalidOperationException($"log-batch: {status}");
                times.Add((clock.Elapsed - before).TotalMilliseconds);
                if (pause > TimeSpan.Zero)
                    Thread.Sleep(pause);
            }
            lock (all)
                all.AddRange(times);
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        all.Sort();
        return all;
    }

    /// <summary>Log-batch at about an eighth of full speed, a search each second, and the server's memory each ten seconds.</summary>
    private static async Task MemoryAsync(LoadServer server, string provider, int seconds)
    {
        var runs = await RunsAsync(server);
        var length = TimeSpan.FromSeconds(seconds);
        var load = Task.Run(() => Pump(server, runs, length, pause: TimeSpan.FromMilliseconds(40)));
        var samples = new List<double>();
        using var client = new HttpClient { BaseAddress = server.Address };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", server.Token);
        for (var clock = Stopwatch.StartNew(); !load.IsCompleted; await Task.Delay(1000))
        {
            await PostAsync(client, "/api/2.0/mlflow/runs/search", """{"experiment_ids":["0"],"max_results":100}""");
            await client.GetStringAsync($"/api/2.0/mlflow/metrics/get-history?run_id={runs[0]}&metric_key=metric_1&max_results=1000");
            if (clock.Elapsed.TotalSeconds >= 10 * (samples.Count + 1))
                samples.Add(server.ResidentMiB);
        }
        var sent = (await load).Count;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{provider} {seconds} s, {sent} batches ({sent / (double)seconds:N0}/s), resident MiB each 10 s: {string.Join(' ', samples.Select(m => m.ToString("f0", CultureInfo.InvariantCulture)))}"));
    }

    private static void Search(LoadServer server, string provider, int runs)
    {
        using var client = new RawClient(server.Address);
        var experiment = new Guid("00000000-0000-7000-9000-000000000001").ToString("N");
        (string Name, string Filter, string Order, int Most)[] searches =
        [
            ("newest 100", "", "", 100),
            ("parameter + tag filter", "params.lr = '0.03' AND tags.team = 'team-2'", "", 100),
            ("one run by parameter", "params.seed = '4711'", "", 100),
            ("FINISHED, newest 1000", "attributes.status = 'FINISHED'", "", 1000),
            ("metric filter with order", "metrics.acc > 0.5", "metrics.acc DESC", 100),
            ("metric + parameter + tag + status", "metrics.acc > 0.5 AND params.lr = '0.03' AND tags.team = 'team-2' AND attributes.status = 'FINISHED'", "metrics.acc DESC", 100),
        ];
        foreach (var (name, filter, order, most) in searches)
        {
            var body = JsonSerializer.SerializeToUtf8Bytes(new { experiment_ids = new[] { experiment }, filter, order_by = order.Length > 0 ? new[] { order } : [], max_results = most });
            var head = RawClient.Head("/api/2.0/mlflow/runs/search", server.Token, "application/json", body.Length);
            var (times, size, before) = (new List<double>(), 0, default(Spent));
            for (var i = -20; i < SearchTurns; i++)
            {
                if (i == 0)
                    before = server.Work();
                var clock = Stopwatch.StartNew();
                var (status, length) = client.Send(head, body);
                if (status != 200)
                    throw new InvalidOperationException($"{name}: {status}");
                size = length;
                if (i >= 0)
                    times.Add(clock.Elapsed.TotalMilliseconds);
            }
            var work = server.Work() - before;
            times.Sort();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{provider} {runs:N0} runs, {name}: p50 {Turns.At(times, 0.5):f1} ms, p95 {Turns.At(times, 0.95):f1} ms, largest {times[^1]:f1} ms, {work.For(SearchTurns, "a search")}, {size} bytes, n = {SearchTurns}"));
        }
    }

    /// <summary>Made by the database itself, so that filling takes seconds: each run has three metrics, four parameters and three tags.</summary>
    private static async Task FillAsync(TestProduct product, int runs)
    {
        await using var db = product.Open();
        db.Database.SetCommandTimeout(600);
        var sqlite = product.Provider == DatabaseProvider.Sqlite;
        string Id(string block) => sqlite ? $"'00000000-0000-7000-{block}-' || printf('%012X', i)" : $"('00000000-0000-7000-{block}-' || lpad(to_hex(i), 12, '0'))::uuid";
        var n = sqlite ? $"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {runs}) SELECT i FROM n)" : $"generate_series(1, {runs}) AS n(i)";
        var experiment = sqlite ? "'00000000-0000-7000-9000-000000000001'" : "'00000000-0000-7000-9000-000000000001'::uuid";
        var not = sqlite ? "0" : "FALSE";
        string Text(string number) => sqlite ? $"CAST({number} AS TEXT)" : $"({number})::text";
        string[] statements =
        [
            $"INSERT INTO experiments (\"Id\", \"Name\", \"Description\", \"CreatedAt\") VALUES ({experiment}, 'many', '', 0)",
            $"INSERT INTO runs (\"Id\", \"ExperimentId\", \"Name\", \"State\", \"CreatedBy\", \"StartedAt\") SELECT {Id("8000")}, {experiment}, 'run-' || i, CASE WHEN i % 10 = 0 THEN 'Failed' ELSE 'Succeeded' END, 'load', 1700000000000 + i FROM {n}",
            .. new[] { ("acc", 7919), ("loss", 104729), ("f1", 1299709) }.Select(m => $"INSERT INTO latest_metrics (\"RunId\", \"Key\", \"ExperimentId\", \"Value\", \"IsNan\", \"Step\", \"At\") SELECT {Id("8000")}, '{m.Item1}', {experiment}, (CAST(i AS BIGINT) * {m.Item2} % 100003) / 100003.0, {not}, 1, 1700000000000 FROM {n}"),
            .. new[] { ("lr", "'0.0' || (i % 10)"), ("seed", Text("i")), ("layers", Text("i % 7")), ("optimizer", "CASE WHEN i % 2 = 0 THEN 'adam' ELSE 'sgd' END") }.Select(p => $"INSERT INTO params (\"RunId\", \"ExperimentId\", \"StartedAt\", \"Key\", \"Value\", \"Head\") SELECT {Id("8000")}, {experiment}, 1700000000000 + i, '{p.Item1}', {p.Item2}, {p.Item2} FROM {n}"),
            .. new[] { ("team", "'team-' || (i % 7)"), ("mlflow.user", "'load'"), ("mlflow.runName", "'run-' || i") }.Select(t => $"INSERT INTO run_tags (\"RunId\", \"ExperimentId\", \"StartedAt\", \"Key\", \"Value\", \"Head\") SELECT {Id("8000")}, {experiment}, 1700000000000 + i, '{t.Item1}', {t.Item2}, {t.Item2} FROM {n}"),
        ];
        foreach (var statement in statements)
            await db.Database.ExecuteSqlRawAsync(statement);
    }

    private static async Task<JsonElement> PostAsync(HttpClient client, string path, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync(path, content);
        var text = await answer.Content.ReadAsStringAsync();
        return answer.IsSuccessStatusCode ? JsonDocument.Parse(text).RootElement.Clone() : throw new InvalidOperationException($"{path}: {(int)answer.StatusCode} {text}");
    }
}
