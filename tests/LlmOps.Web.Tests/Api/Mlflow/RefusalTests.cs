using System.Net;

namespace LlmOps.Web.Tests.Api.Mlflow;

/// <summary>Bad input: always an error of the API with a word that clients know, never a 5xx.</summary>
public sealed class RefusalTests(WebProduct product)
{
    private const HttpStatusCode Bad = HttpStatusCode.BadRequest, Missing = HttpStatusCode.NotFound;

    private static string Text(int length) => new('x', length);

    [Fact]
    public async Task WrongRequests_AreRefused_EachWithItsCode()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var experiment = await client.ExperimentAsync();
        var run = await client.RunAsync(experiment);
        await client.PostAsync("/mlflow/runs/log-parameter", new { run_id = run, key = "lr", value = "0.1" });
        var deleted = await client.RunAsync(experiment);
        await client.PostAsync("/mlflow/runs/delete", new { run_id = deleted });
        var unknown = Guid.NewGuid().ToString("N");
        (HttpStatusCode Status, string Code, string Path, object Body)[] table =
        [
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/experiments/create", new { }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/experiments/create", new { name = "" }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/experiments/create", new { name = Text(501) }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/experiments/create", new { name = Text(20), tags = new[] { new { key = "k", value = Text(5001) } } }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/experiments/create", """{"name":["a"]}"""),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/experiments/create", """{"name":"a\u0000b"}"""),
            (Bad, "BAD_REQUEST", "/mlflow/experiments/create", """{"name":"""),
            (Bad, "BAD_REQUEST", "/mlflow/experiments/create", "no json"),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/experiments/create", "[]"),
            (Bad, "BAD_REQUEST", "/mlflow/experiments/create", "null"),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/experiments/create", """{"name":""" + new string('[', 200) + new string(']', 200) + "}"),
            (Missing, "RESOURCE_DOES_NOT_EXIST", "/mlflow/experiments/delete", new { experiment_id = unknown }),
            (Missing, "RESOURCE_DOES_NOT_EXIST", "/mlflow/experiments/delete", new { experiment_id = "7" }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/experiments/delete", new { experiment_id = Text(65) }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/experiments/search", new { max_results = 0 }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/experiments/search", new { filter = "name = 1" }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/experiments/search", new { order_by = new[] { "owner" } }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/experiments/search", new { page_token = "???" }),
            (Missing, "RESOURCE_DOES_NOT_EXIST", "/mlflow/runs/create", new { experiment_id = unknown }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/create", new { experiment_id = experiment, start_time = long.MaxValue }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/create", new { experiment_id = experiment, run_name = "a", tags = new[] { new { key = "mlflow.runName", value = "b" } } }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/update", new { run_id = run, status = "DONE" }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/update", new { run_id = "../etc" }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/update", new { }),
            (Missing, "RESOURCE_DOES_NOT_EXIST", "/mlflow/runs/update", new { run_id = unknown, status = "FAILED" }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/log-metric", new { run_id = run, key = "a", value = 1 }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/log-metric", new { run_id = run, key = "a", timestamp = 1 }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/log-metric", new { run_id = run, key = "a", value = "high", timestamp = 1 }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/log-metric", $$"""{"run_id":"{{run}}","key":"a","value":1,"timestamp":1,"step":1e300}"""),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/log-metric", new { run_id = run, key = "..", value = 1, timestamp = 1 }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/log-metric", new { run_id = deleted, key = "a", value = 1, timestamp = 1 }),
            (Missing, "RESOURCE_DOES_NOT_EXIST", "/mlflow/runs/log-metric", new { run_id = unknown, key = "a", value = 1, timestamp = 1 }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/log-parameter", new { run_id = run, key = "lr", value = "0.2" }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/log-parameter", new { run_id = run, key = "p", value = Text(6001) }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/set-tag", new { run_id = run, key = Text(251), value = "" }),
            (Missing, "RESOURCE_DOES_NOT_EXIST", "/mlflow/runs/delete-tag", new { run_id = run, key = "never" }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/log-batch", new { run_id = run, metrics = Enumerable.Range(0, 1001).Select(i => new { key = $"m{i}", value = i, timestamp = 1 }) }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/log-batch", new { run_id = run, tags = Enumerable.Range(0, 10_000).Select(i => new { key = $"t{i}", value = "" }) }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/log-batch", new { run_id = run, tags = new[] { new { key = "t", value = Text(1_000_001) } } }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/log-inputs", new { run_id = run, datasets = new[] { new { dataset = new { name = "a", digest = Text(37), source_type = "local", source = "{}" } } } }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/log-inputs", new { run_id = run, datasets = new[] { new { dataset = new { name = "a" } } } }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/log-model", new { run_id = run, model_json = "{}" }),
            (Missing, "RESOURCE_DOES_NOT_EXIST", "/mlflow/runs/outputs", new { run_id = run, models = new[] { new { model_id = "m-" + unknown, step = 0 } } }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/search", new { experiment_ids = new[] { experiment }, filter = "params.lr = '0.1'; DROP TABLE runs" }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/search", new { experiment_ids = new[] { experiment }, max_results = 50_001 }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/runs/search", new { experiment_ids = new[] { experiment }, run_view_type = "SOME" }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/registered-models/create", new { name = "a/b" }),
            (Bad, "INVALID_PARAMETER_VALUE", "/mlflow/registered-models/create", new { name = Text(20), tags = new[] { new { key = "k", value = Text(100_001) } } }),
            (Missing, "RESOURCE_DOES_NOT_EXIST", "/mlflow/model-versions/create", new { name = "no-such-model", source = "s3://b/k" }),
            (Missing, "ENDPOINT_NOT_FOUND", "/mlflow/no/such/endpoint", new { }),
            (Missing, "ENDPOINT_NOT_FOUND", "/mlflow/runs/get", new { }),
            (HttpStatusCode.NotImplemented, "NOT_IMPLEMENTED", "/api/3.0/mlflow/scorers/register", new { }),
            (HttpStatusCode.NotImplemented, "NOT_IMPLEMENTED", "/api/3.0/mlflow/label-schemas/create", new { }),
        ];
        foreach (var (status, code, path, body) in table)
            await client.RefusedAsync(status, code, "POST", path, body);
        await client.RefusedAsync(Bad, "INVALID_PARAMETER_VALUE", "POST", "/mlflow/experiments/create", "name=a", "application/x-www-form-urlencoded");
        await client.RefusedAsync(Bad, "INVALID_PARAMETER_VALUE", "GET", $"/mlflow/runs/get");
        await client.RefusedAsync(Bad, "INVALID_PARAMETER_VALUE", "GET", $"/mlflow/metrics/get-history?run_id={run}&metric_key=a&max_results=x");
        await client.RefusedAsync(Missing, "ENDPOINT_NOT_FOUND", "GET", "/ajax-api/2.0/mlflow/no/such/endpoint");
        // Nothing of all that was stored.
        Assert.Equal("""{"params":[{"key":"lr","value":"0.1"}],"tags":[{"key":"mlflow.runName","value":"one"}]}""", (await client.GetAsync($"/mlflow/runs/get?run_id={run}"))["run"]!["data"]!.ToJsonString());
    }

    [Fact]
    public void EveryCode_HasTheStatusThatClientsExpect()
    {
        // the client repeats 429, 500, 502, 503 and 504, and looks for another endpoint at ENDPOINT_NOT_FOUND only
        Assert.Equal(400, LlmOps.Web.Api.Mlflow.MlflowErrors.Statuses["RESOURCE_ALREADY_EXISTS"]);
        foreach (var code in Enum.GetValues<LlmOps.Lifecycle.ErrorCode>())
            Assert.True(LlmOps.Web.Api.Mlflow.MlflowErrors.Statuses.ContainsKey(LlmOps.Lifecycle.ErrorCodes.WireName(code)), $"{code} has no status in this API.");
    }
}
