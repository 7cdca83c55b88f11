using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LlmOps.Lifecycle.Identity;
using LlmOps.TestKit;

namespace LlmOps.Web.Tests.Api;

public sealed partial class MonitoringTests(WebProduct product)
{
    private static string Infra(string path) => File.ReadAllText(RepositoryRoot.Path("infra", path));

    private static IEnumerable<string> DashboardQueries() =>
        JsonNode.Parse(Infra("grafana/llmops.json"))!["panels"]!.AsArray().SelectMany(p => p!["targets"]!.AsArray()).Select(t => (string)t!["expr"]!);

    private static IEnumerable<string> RuleQueries() => Infra("prometheus/rules.yaml").Split('\n').Where(l => l.TrimStart().StartsWith("expr:", StringComparison.Ordinal)).Select(l => l.Split("expr:", 2)[1]);

    private async Task<string> ScrapeAsync()
    {
        using var prometheus = await product.ProgramAsync(Roles.Engineer, Permission.Read);
        return await prometheus.GetStringAsync(new Uri("/metrics", UriKind.Relative));
    }

    /// <summary>The names that samples may have, by the type that is declared: a histogram has none until something is observed.</summary>
    private static HashSet<string> Names(string text) => [.. TypeLine().Matches(text).SelectMany(m => m.Groups[2].Value switch
    {
        "histogram" => ["_bucket", "_sum", "_count"],
        "summary" => ["_sum", "_count"],
        _ => new[] { "" },
    }, (m, end) => m.Groups[1].Value + end)];

    [Fact]
    public async Task EveryQuery_OfTheDashboardAndTheRules_NamesWhatIsServed()
    {
        var served = Names(await ScrapeAsync());
        var queries = DashboardQueries().Concat(RuleQueries()).ToList();
        Assert.True(queries.Count >= 28, $"Only {queries.Count} queries were found: the files are not read right.");
        var asked = queries.SelectMany(q => MetricName().Matches(q).Select(m => m.Value)).ToHashSet();
        // without a graphics processor there is no metric of its memory
        Assert.DoesNotContain(asked.Except(served), n => !n.StartsWith("llmops_gpu_memory_", StringComparison.Ordinal));
        Assert.All(queries, q => Assert.Matches(MetricName(), q));
    }

    [Fact]
    public async Task EveryMetric_IsOnTheDashboard()
    {
        var asked = string.Join('\n', DashboardQueries());
        Assert.DoesNotContain(TypeLine().Matches(await ScrapeAsync()).Select(m => m.Groups[1].Value), name => !asked.Contains(name, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Metrics_AreTextOrOpenMetrics_AsPrometheusAsks()
    {
        using var prometheus = await product.ProgramAsync(Roles.Engineer, Permission.Read);
        using var plain = await prometheus.GetAsync(new Uri("/metrics", UriKind.Relative));
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", plain.Content.Headers.ContentType?.ToString());
        prometheus.DefaultRequestHeaders.Accept.Add(MediaTypeWithQualityHeaderValue.Parse("application/openmetrics-text;version=1.0.0;q=0.5"));
        using var open = await prometheus.GetAsync(new Uri("/metrics", UriKind.Relative));
        Assert.Equal("application/openmetrics-text; version=1.0.0; charset=utf-8", open.Content.Headers.ContentType?.ToString());
        Assert.EndsWith("\n# EOF\n", await open.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Metrics_AreNotForVisitors()
    {
        using var visitor = product.Visitor();
        using var answer = await visitor.GetAsync(new Uri("/metrics", UriKind.Relative));
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
    }

    [GeneratedRegex("^# TYPE (\\S+) (\\S+)$", RegexOptions.Multiline)]
    private static partial Regex TypeLine();

    [GeneratedRegex("llmops_[a-z_]+")]
    private static partial Regex MetricName();
}
