using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Benchmarks;

/// <summary>
/// The MLflow API of the real server, over HTTP: eight clients that log batches of 100 metrics, and searches over many runs. Build LlmOps.Web in Release first.
/// </summary>
internal static class MlflowLoad
{
    public const string Command = "mlflow";
    private const int Clients = 8, Metrics = 100, Turns = 25;

    public static async Task RunAsync(string what, string provider, int amount)
    {
        await using var product = await TestProduct.CreateAsync(Enum.Parse<DatabaseProvider>(provider, ignoreCase: true));
        var people = product.Get<ManagePeople>();
        var person = await people.CreateAsync("load", "Load", "correct horse battery", [Roles.Engineer], product.Ada);
        var token = (await product.Get<ManageTokens>().CreateAsync("load", [Permission.Read, Permission.RunPipelines], null, (await people.FindActorAsync(person.Id))!)).Secret;
        if (what == "search")
            await FillAsync(product, amount);
        using var server = await StartAsync(product);
        try
        {
            await (what == "search" ? SearchAsync(server, token, provider, amount) : LogAsync(server, token, provider, amount));
        }
        finally
        {
            server.Process.Kill(entireProcessTree: true);
            await server.Process.WaitForExitAsync();
        }
    }

    private sealed record Server(Process Process, Uri Address) : IDisposable
    {
        /// <summary>Milliseconds of processor time so far: on a busy machine they say more than the clock.</summary>
        public double Work
        {
            get
            {
                Process.Refresh();
                return Process.TotalProcessorTime.TotalMilliseconds;
            }
        }

        public void Dispose() => Process.Dispose();
    }

    private static async Task<Server> StartAsync(TestProduct product)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var address = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}");
        listener.Stop();
        var start = new ProcessStartInfo("dotnet", [RepositoryRoot.Path("src", "LlmOps.Web", "bin", "Release", "net10.0", "LlmOps.Web.dll"), "--urls", address.ToString()]) { RedirectStandardOutput = true };
        foreach (var (key, value) in product.ProcessSettings)
            start.Environment[key] = value;
        start.Environment["Worker__Embedded"] = "false";
        start.Environment["Logging__LogLevel__Default"] = "Warning";
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        using var client = new HttpClient();
        for (var i = 0; ; i++)
            try
            {
                if ((await client.GetAsync(new Uri(address, "/health/ready"))).IsSuccessStatusCode)
                    return new(process, address);
            }
            catch (HttpRequestException) when (i < 600)
            {
                await Task.Delay(100);
            }
    }

    private static async Task LogAsync(Server server, string token, string provider, int seconds)
    {
        var address = server.Address;
        using var setup = Client(address, token);
        var experiment = (await PostAsync(setup, "/api/2.0/mlflow/experiments/create", """{"name":"load"}""")).GetProperty("experiment_id").GetString()!;
        var runs = new List<string>();
        for (var i = 0; i < Clients; i++)
            runs.Add((await PostAsync(setup, "/api/2.0/mlflow/runs/create", $$"""{"experiment_id":"{{experiment}}"}""")).GetProperty("run").GetProperty("info").GetProperty("run_id").GetString()!);
        foreach (var (name, length) in new[] { ("warm-up", Math.Min(3, seconds)), ("log-batch", seconds), ("log-batch", seconds), ("log-batch", seconds) })
        {
            var (clock, before) = (Stopwatch.StartNew(), server.Work);
            var times = await Task.WhenAll(runs.Select(run => Task.Run(() => LogAsync(address, token, run, TimeSpan.FromSeconds(length)))));
            var elapsed = clock.Elapsed.TotalSeconds;
            var all = times.SelectMany(t => t).Order().ToList();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{provider} {name}: {all.Count / elapsed:N0} requests/s, {all.Count * Metrics / elapsed:N0} metrics/s, p50 {all[all.Count / 2]:f1} ms, p99 {all[(int)(all.Count * 0.99)]:f1} ms, {(server.Work - before) / all.Count:f2} ms of processor time each, {all.Count} requests"));
        }
    }

    private static async Task<List<double>> LogAsync(Uri address, string token, string run, TimeSpan length)
    {
        using var client = Client(address, token);
        var times = new List<double>();
        var clock = Stopwatch.StartNew();
        for (var step = Environment.TickCount64; clock.Elapsed < length; step++)
        {
            var body = Batch(run, step);
            var before = clock.Elapsed;
            using var content = new ByteArrayContent(body);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var answer = await client.PostAsync("/api/2.0/mlflow/runs/log-batch", content);
            if (answer.StatusCode != HttpStatusCode.OK)
                throw new InvalidOperationException(await answer.Content.ReadAsStringAsync());
            times.Add((clock.Elapsed - before).TotalMilliseconds);
        }
        return times;
    }

    private static byte[] Batch(string run, long step)
    {
        using var stream = new MemoryStream(8192);
        using var json = new Utf8JsonWriter(stream);
        json.WriteStartObject();
        json.WriteString("run_id", run);
        json.WriteStartArray("metrics");
        for (var i = 0; i < Metrics; i++)
        {
            json.WriteStartObject();
            json.WriteString("key", $"metric_{i}");
            json.WriteNumber("value", step * 0.001 + i);
            json.WriteNumber("timestamp", 1_700_000_000_000 + step);
            json.WriteNumber("step", step);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        return stream.ToArray();
    }

    private static async Task SearchAsync(Server server, string token, string provider, int runs)
    {
        using var client = Client(server.Address, token);
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
            var body = JsonSerializer.Serialize(new { experiment_ids = new[] { experiment }, filter, order_by = order.Length > 0 ? new[] { order } : [], max_results = most });
            var (times, found, before) = (new List<double>(), 0, 0.0);
            for (var i = 0; i < Turns + 3; i++)
            {
                if (i == 3)
                    before = server.Work;
                var clock = Stopwatch.StartNew();
                var answer = await PostAsync(client, "/api/2.0/mlflow/runs/search", body);
                if (i >= 3)
                    times.Add(clock.Elapsed.TotalMilliseconds);
                found = answer.TryGetProperty("runs", out var list) ? list.GetArrayLength() : 0;
            }
            times.Sort();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{provider} {runs:N0} runs, {name}: p50 {times[Turns / 2]:f1} ms, p95 {times[(int)(Turns * 0.95)]:f1} ms, {(server.Work - before) / Turns:f1} ms of processor time each, {found} found"));
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
            .. new[] { ("lr", "'0.0' || (i % 10)"), ("seed", Text("i")), ("layers", Text("i % 7")), ("optimizer", "CASE WHEN i % 2 = 0 THEN 'adam' ELSE 'sgd' END") }.Select(p => $"INSERT INTO params (\"RunId\", \"Key\", \"Value\", \"Head\") SELECT {Id("8000")}, '{p.Item1}', {p.Item2}, {p.Item2} FROM {n}"),
            .. new[] { ("team", "'team-' || (i % 7)"), ("mlflow.user", "'load'"), ("mlflow.runName", "'run-' || i") }.Select(t => $"INSERT INTO run_tags (\"RunId\", \"Key\", \"Value\", \"Head\") SELECT {Id("8000")}, '{t.Item1}', {t.Item2}, {t.Item2} FROM {n}"),
        ];
        foreach (var statement in statements)
            await db.Database.ExecuteSqlRawAsync(statement);
    }

    private static HttpClient Client(Uri address, string token)
    {
        var client = new HttpClient { BaseAddress = address };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return client;
    }

    private static async Task<JsonElement> PostAsync(HttpClient client, string path, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync(path, content);
        var text = await answer.Content.ReadAsStringAsync();
        return answer.IsSuccessStatusCode ? JsonDocument.Parse(text).RootElement.Clone() : throw new InvalidOperationException($"{path}: {(int)answer.StatusCode} {text}");
    }
}
