using System.Globalization;
using System.Text.Json;

namespace LlmOps.Web.Tests.Api.Mlflow;

/// <summary>Values that a client may send by mistake or on purpose: kept as they are or refused, never a failure of the server.</summary>
public sealed class HostileValueTests(WebProduct product)
{
    /// <summary>Clocks of clients are wrong by years; what no calendar has is refused.</summary>
    [Theory]
    [InlineData(0, true)]
    [InlineData(-1, true)]
    [InlineData(253_402_300_799_999, true)]
    [InlineData(253_402_300_800_000, false)]
    [InlineData(long.MaxValue, false)]
    [InlineData(long.MinValue, false)]
    public async Task ClockOfAClient_IsTakenAsItIs_AsLongAsACalendarHasIt(long at, bool taken)
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var run = await client.RunAsync();
        var body = $$"""{"run_id":"{{run}}","metrics":[{"key":"m","value":1,"timestamp":{{at.ToString(CultureInfo.InvariantCulture)}},"step":1}]}""";
        if (!taken)
        {
            await client.RefusedAsync(System.Net.HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", "/mlflow/runs/log-batch", body);
            return;
        }
        await client.PostAsync("/mlflow/runs/log-batch", body);
        var history = await client.GetAsync($"/mlflow/metrics/get-history?run_id={run}&metric_key=m");
        Assert.Equal(at, (long)history["metrics"]!.AsArray().Single()!["timestamp"]!);
    }

    [Fact]
    public async Task NumbersThatAreNone_AreKept_AndReadBackAsWords()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var run = await client.RunAsync();
        await client.PostAsync("/mlflow/runs/log-batch", $$"""{"run_id":"{{run}}","metrics":[{"key":"m","value":"NaN","timestamp":1,"step":1},{"key":"m","value":"Infinity","timestamp":2,"step":2},{"key":"m","value":"-Infinity","timestamp":3,"step":3},{"key":"m","value":1.7976931348623157e308,"timestamp":4,"step":-9223372036854775808},{"key":"m","value":5e-324,"timestamp":5,"step":9223372036854775807}]}""");
        var history = (await client.GetAsync($"/mlflow/metrics/get-history?run_id={run}&metric_key=m"))["metrics"]!.AsArray();
        Assert.Equal(["1.7976931348623157E+308", "\"NaN\"", "\"Infinity\"", "\"-Infinity\"", "5E-324"], history.Select(m => m!["value"]!.ToJsonString()));
        await client.RefusedAsync(System.Net.HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", "/mlflow/runs/log-batch", $$"""{"run_id":"{{run}}","metrics":[{"key":"m","value":"many","timestamp":1,"step":1}]}""");
    }

    [Fact]
    public async Task TenThousandLabels_AreRefusedWhole_OrTakenInParts()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var run = await client.RunAsync();
        object Tags(int from, int count) => Enumerable.Range(from, count).Select(i => new { key = $"label{i}", value = "x" }).ToArray();
        await client.RefusedAsync(System.Net.HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", "/mlflow/runs/log-batch", JsonSerializer.Serialize(new { run_id = run, tags = Tags(0, 10_000) }));
        Assert.DoesNotContain((await client.GetAsync($"/mlflow/runs/get?run_id={run}"))["run"]!["data"]!["tags"]!.AsArray(), t => ((string)t!["key"]!).StartsWith("label", StringComparison.Ordinal));
        for (var from = 0; from < 10_000; from += 100)
            await client.PostAsync("/mlflow/runs/log-batch", new { run_id = run, tags = Tags(from, 100) });
        var tags = (await client.GetAsync($"/mlflow/runs/get?run_id={run}"))["run"]!["data"]!["tags"]!.AsArray();
        Assert.Equal(10_000, tags.Count(t => ((string)t!["key"]!).StartsWith("label", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("/api/2.0/mlflow/experiments/create", """{"name":"x","tags":[null]}""")]
    [InlineData("/api/2.0/mlflow/runs/log-inputs", """{"run_id":"RUN","datasets":[null]}""")]
    [InlineData("/api/2.0/mlflow/runs/log-inputs", """{"run_id":"RUN","models":[null]}""")]
    [InlineData("/api/2.0/mlflow/runs/outputs", """{"run_id":"RUN","models":[null]}""")]
    [InlineData("/api/2.0/mlflow/runs/search", """{"experiment_ids":[null]}""")]
    [InlineData("/api/2.0/mlflow/runs/search", """{"experiment_ids":["0"],"order_by":[null]}""")]
    [InlineData("/api/2.0/mlflow/logged-models/search", """{"experiment_ids":["0"],"datasets":[null]}""")]
    [InlineData("/api/2.0/mlflow/logged-models/search", """{"experiment_ids":["0"],"order_by":[null]}""")]
    [InlineData("/api/2.0/mlflow/logged-models", """{"experiment_id":"0","params":[null]}""")]
    [InlineData("/api/3.0/mlflow/traces", """{"trace":{"trace_info":{"trace_id":"tr-0123456789abcdef0123456789abcdef","assessments":[null]}}}""")]
    [InlineData("/api/3.0/mlflow/traces/search", """{"locations":[null]}""")]
    [InlineData("/api/2.0/mlflow/traces/link-prompts", """{"trace_id":"tr-0123456789abcdef0123456789abcdef","prompt_versions":[null]}""")]
    public async Task AListThatHoldsNull_IsRefused(string path, string body)
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var run = await client.RunAsync();
        await client.RefusedAsync(System.Net.HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", path, body.Replace("RUN", run, StringComparison.Ordinal));
    }

    /// <summary>A token that somebody made up, and as many results as an int counts.</summary>
    [Fact]
    public async Task PlacesAndCountsThatNoHistoryHas_AreRefused_OrGiveAllThereIs()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var run = await client.RunAsync();
        await client.PostAsync("/mlflow/runs/log-batch", $$"""{"run_id":"{{run}}","metrics":[{"key":"m","value":1,"timestamp":1,"step":1}]}""");
        var place = System.Buffers.Text.Base64Url.EncodeToString(System.Text.Encoding.UTF8.GetBytes("""{"step":0,"at":9223372036854775807,"value":0,"is_nan":false}"""));
        await client.RefusedAsync(System.Net.HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "GET", $"/mlflow/metrics/get-history?run_id={run}&metric_key=m&page_token={place}");
        Assert.Single((await client.GetAsync($"/mlflow/metrics/get-history?run_id={run}&metric_key=m&max_results={int.MaxValue}"))["metrics"]!.AsArray());
    }
}
