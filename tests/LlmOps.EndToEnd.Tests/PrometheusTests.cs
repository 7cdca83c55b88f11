using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LlmOps.TestKit;

namespace LlmOps.EndToEnd.Tests;

/// <summary>A real Prometheus scrapes the real program, loads the shipped rules, and answers every query of the shipped dashboard.</summary>
public sealed partial class PrometheusTests
{
    private static string Infra(params string[] path) => Path.Combine([Repository.Root, "infra", .. path]);

    /// <summary>The program of Debian's package, which ./test.sh gets; LLMOPS_PROMETHEUS names one that lies elsewhere. promtool lies beside it.</summary>
    private static string Program()
    {
        var given = Environment.GetEnvironmentVariable("LLMOPS_PROMETHEUS");
        var found = given ?? (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(f => Path.Combine(f, "prometheus")).FirstOrDefault(File.Exists);
        if (found is null || !File.Exists(found))
        {
            const string missing = "No prometheus was found. Run ./test.sh, which gets the one of Debian's package, or set LLMOPS_PROMETHEUS to the program.";
            if (Environment.GetEnvironmentVariable("LLMOPS_REQUIRE_SERVICES") == "1")
                Assert.Fail(missing);
            Assert.Skip(missing);
        }
        return found;
    }

    [Fact]
    public async Task Prometheus_AnswersEveryQuery_AndTakesEveryRule()
    {
        var program = Program();
        using var data = new TemporaryFolder();
        await using var web = await WebProcess.StartAsync(new Dictionary<string, string> { ["Data__Folder"] = data.Path, ["Logging__LogLevel__Default"] = "Warning" });
        await web.SetUpAdministratorAsync();
        using var made = await web.Client.PostAsJsonAsync("/api/v1/tokens", new { name = "prometheus", scopes = new[] { "Read" } });
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(Path.Combine(folder.Path, "llmops-token"), (string)(await made.Content.ReadFromJsonAsync<JsonNode>())!["secret"]!);
        File.Copy(Infra("prometheus", "rules.yaml"), Path.Combine(folder.Path, "rules.yaml"));
        var shipped = await File.ReadAllTextAsync(Infra("prometheus", "prometheus.yaml"));
        // As it is shipped, only at this test's address and more often.
        await File.WriteAllTextAsync(Path.Combine(folder.Path, "prometheus.yaml"), shipped.Replace("localhost:5080", web.Address.Authority, StringComparison.Ordinal).Replace("15s", "1s", StringComparison.Ordinal));
        await PromtoolAsync(program, folder.Path, "", "check", "config", "prometheus.yaml");
        await PromtoolAsync(program, folder.Path, await web.Client.GetStringAsync(new Uri("/metrics", UriKind.Relative)), "check", "metrics");
        var port = ProductProcess.FreePort();
        using var prometheus = Process.Start(new ProcessStartInfo(program, ["--config.file=prometheus.yaml", "--storage.tsdb.path=tsdb", $"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]) { WorkingDirectory = folder.Path })!;
        try
        {
            using var client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{port}") };
            await UntilAsync(async () => (await QueryAsync(client, "up == 1")).Count == 1 && (await QueryAsync(client, "llmops_worker_slots")).Count > 0);
            var dashboard = JsonNode.Parse(await File.ReadAllTextAsync(Infra("grafana", "llmops.json")))!;
            var queries = dashboard["panels"]!.AsArray().SelectMany(p => p!["targets"]!.AsArray()).Select(t => (string)t!["expr"]!).ToList();
            Assert.True(queries.Count >= 20);
            foreach (var query in queries)
                await QueryAsync(client, query);
            // what has no samples before somebody trains or asks is declared all the same
            using var metadata = await client.GetAsync(new Uri("/api/v1/metadata", UriKind.Relative));
            var known = (await metadata.Content.ReadFromJsonAsync<JsonNode>())!["data"]!.AsObject().Select(m => m.Key).ToHashSet();
            var unknown = queries.SelectMany(q => MetricName().Matches(q).Select(m => m.Value)).Where(n => !known.Contains(n) && !known.Contains(HistogramEnd().Replace(n, "")) && !known.Contains(CounterEnd().Replace(n, "")) && !n.StartsWith("llmops_gpu_memory_", StringComparison.Ordinal)).ToList();
            Assert.Equal([], unknown);
            var rules = (await client.GetFromJsonAsync<JsonNode>("/api/v1/rules"))!["data"]!["groups"]![0]!["rules"]!.AsArray();
            Assert.Equal((await File.ReadAllLinesAsync(Infra("prometheus", "rules.yaml"))).Count(l => l.TrimStart().StartsWith("expr:", StringComparison.Ordinal)), rules.Count);
            foreach (var rule in rules)
                await QueryAsync(client, (string)rule!["query"]!);
            await UntilAsync(async () => (await client.GetFromJsonAsync<JsonNode>("/api/v1/rules"))!["data"]!["groups"]![0]!["rules"]!.AsArray().All(r => (string)r!["health"]! == "ok"));
        }
        finally
        {
            prometheus.Kill(entireProcessTree: true);
            await prometheus.WaitForExitAsync();
        }
    }

    /// <summary>What promtool objects to is the failure; it also reads the rules that a configuration names.</summary>
    private static async Task PromtoolAsync(string program, string folder, string input, params string[] arguments)
    {
        using var promtool = Process.Start(new ProcessStartInfo(Path.Combine(Path.GetDirectoryName(program)!, "promtool"), arguments)
        {
            WorkingDirectory = folder, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var (said, objected) = (promtool.StandardOutput.ReadToEndAsync(), promtool.StandardError.ReadToEndAsync());
        await promtool.StandardInput.WriteAsync(input);
        promtool.StandardInput.Close();
        await promtool.WaitForExitAsync();
        Assert.True(promtool.ExitCode == 0, $"promtool {string.Join(' ', arguments)}: {await said}{await objected}");
    }

    private static async Task<JsonArray> QueryAsync(HttpClient client, string query)
    {
        using var answer = await client.GetAsync(new Uri($"/api/v1/query?query={Uri.EscapeDataString(query)}", UriKind.Relative));
        var body = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        Assert.True((string)body["status"]! == "success", $"{query}: {body["error"]}");
        return body["data"]!["result"]!.AsArray();
    }

    private static async Task UntilAsync(Func<Task<bool>> holds)
    {
        await Eventually.ReadAsync(async () =>
        {
            try
            {
                return await holds();
            }
            catch (HttpRequestException)
            {
                return false;       // it is still starting
            }
        }, held => held, TimeSpan.FromSeconds(90));
    }

    [GeneratedRegex("llmops_[a-z_]+")]
    private static partial Regex MetricName();

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex HistogramEnd();

    [GeneratedRegex("_total$")]
    private static partial Regex CounterEnd();
}
