using System.Net;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Identity;

namespace LlmOps.Web.Tests.Api.Mlflow;

public sealed class TrackingTests(WebProduct product)
{
    [Theory]
    [InlineData("/api/2.0")]
    [InlineData("/ajax-api/2.0")]
    public async Task Run_IsLoggedAndReadBack_Whole(string prefix)
    {
        using var client = await MlflowClient.EngineerAsync(product, prefix);
        var experiment = await client.ExperimentAsync();
        var run = await client.RunAsync(experiment);
        Assert.Equal("{}", (await client.PostAsync("/mlflow/runs/log-batch", $$"""
            {"run_id":"{{run}}","run_uuid":"{{run}}","unknown":[1],
             "metrics":[{"key":"loss","value":0.5,"timestamp":"1700000000001","step":"1"},{"key":"loss","value":0.25,"timestamp":1700000000002,"step":2},{"key":"bad","value":"NaN","timestamp":1},{"key":"far","value":"-Infinity","timestamp":1}],
             "params":[{"key":"lr","value":"0.1"}],"tags":[{"key":"team","value":"core"}]}
            """)).ToJsonString());
        await client.PostAsync("/mlflow/runs/log-metric", new { run_uuid = run, key = "acc", value = 1, timestamp = 5 });
        await client.PostAsync("/mlflow/runs/log-parameter", new { run_id = run, key = "lr", value = "0.1" });
        await client.PostAsync("/mlflow/runs/log-inputs", new { run_id = run, datasets = new[] { new { tags = new[] { new { key = "mlflow.data.context", value = "training" } }, dataset = new { name = "iris", digest = "abc", source_type = "local", source = "{}" } } } });
        var ended = await client.PostAsync("/mlflow/runs/update", new { run_id = run, status = "FINISHED", end_time = 1_700_000_009_000, run_name = "renamed" });
        Assert.Equal("FINISHED", (string)ended["run_info"]!["status"]!);
        var expected = $$$$"""
            {"run":{"info":{"run_id":"{{{{run}}}}","run_uuid":"{{{{run}}}}","run_name":"renamed","experiment_id":"{{{{experiment}}}}","user_id":"alice","status":"FINISHED","start_time":1700000000000,"end_time":1700000009000,
            "artifact_uri":"mlflow-artifacts:/{{{{experiment}}}}/{{{{run}}}}/artifacts","lifecycle_stage":"active"},
            "data":{"metrics":[{"key":"acc","value":1,"timestamp":5,"step":0},{"key":"bad","value":"NaN","timestamp":1,"step":0},{"key":"far","value":"-Infinity","timestamp":1,"step":0},{"key":"loss","value":0.25,"timestamp":1700000000002,"step":2}],
            "params":[{"key":"lr","value":"0.1"}],"tags":[{"key":"mlflow.runName","value":"renamed"},{"key":"team","value":"core"}]},
            "inputs":{"dataset_inputs":[{"tags":[{"key":"mlflow.data.context","value":"training"}],"dataset":{"name":"iris","digest":"abc","source_type":"local","source":"{}"}}]},"outputs":{}}}
            """.ReplaceLineEndings("");
        Assert.Equal(expected, (await client.GetAsync($"/mlflow/runs/get?run_id={run}")).ToJsonString());
        var history = await client.GetAsync($"/mlflow/metrics/get-history?run_id={run}&metric_key=loss&max_results=1");
        Assert.Equal("""[{"key":"loss","value":0.5,"timestamp":1700000000001,"step":1}]""", history["metrics"]!.ToJsonString());
        var rest = await client.GetAsync($"/mlflow/metrics/get-history?run_id={run}&metric_key=loss&max_results=1&page_token={history["next_page_token"]}");
        Assert.Equal("""{"metrics":[{"key":"loss","value":0.25,"timestamp":1700000000002,"step":2}]}""", rest.ToJsonString());
        var found = await client.PostAsync("/mlflow/runs/search", new { experiment_ids = new[] { experiment, "0" }, filter = "metrics.loss < 0.3 AND params.lr = '0.1' AND tags.team = 'core' AND status = 'FINISHED'", max_results = 50_000 });
        Assert.Equal(run, (string)Assert.Single(found["runs"]!.AsArray())!["info"]!["run_id"]!);
        var data = await client.PostAsync("/mlflow/experiments/search-datasets", new { experiment_ids = new[] { experiment } });
        Assert.Equal($$"""{"dataset_summaries":[{"experiment_id":"{{experiment}}","name":"iris","digest":"abc","context":"training"}]}""", data.ToJsonString());
        Assert.Equal(data.ToJsonString(), (await client.PostAsync("/api/2.0mlflow/experiments/search-datasets", new { experiment_ids = new[] { experiment } })).ToJsonString());
        var bulk = await client.GetAsync($"/mlflow/metrics/get-history-bulk-interval?run_ids={run}&metric_key=loss&start_step=0&end_step=5&max_results=10");
        Assert.Equal(2, bulk["metrics"]!.AsArray().Count);
    }

    [Fact]
    public async Task Experiments_AreMadeSearchedDeletedAndRestored()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var mark = Guid.NewGuid().ToString("N");
        var ids = new List<string>();
        for (var i = 0; i < 5; i++)
            ids.Add((string)(await client.PostAsync("/mlflow/experiments/create", new { name = $"{mark} {i}", tags = new[] { new { key = "mark", value = mark } } }))["experiment_id"]!);
        var paged = new List<string>();
        string? token = null;
        do
        {
            var page = await client.GetAsync($"/mlflow/experiments/search?max_results=2&order_by=name%20DESC&filter={Uri.EscapeDataString($"tags.mark = '{mark}'")}{(token is null ? "" : $"&page_token={token}")}");
            paged.AddRange(page["experiments"]!.AsArray().Select(e => (string)e!["experiment_id"]!));
            token = (string?)page["next_page_token"];
        }
        while (token is not null);
        Assert.Equal(Enumerable.Reverse(ids), paged);
        await client.PostAsync("/mlflow/experiments/delete", new { experiment_id = ids[0] });
        var deleted = await client.GetAsync($"/mlflow/experiments/get-by-name?experiment_name={Uri.EscapeDataString($"{mark} 0")}");
        Assert.Equal("deleted", (string)deleted["experiment"]!["lifecycle_stage"]!);
        await client.RefusedAsync(HttpStatusCode.BadRequest, "RESOURCE_ALREADY_EXISTS", "POST", "/mlflow/experiments/create", new { name = $"{mark} 0" });
        Assert.Equal(4, (await client.PostAsync("/mlflow/experiments/search", new { filter = $"name LIKE '{mark}%'" }))["experiments"]!.AsArray().Count);
        Assert.Single((await client.PostAsync("/mlflow/experiments/search", new { filter = $"name LIKE '{mark}%'", view_type = "DELETED_ONLY" }))["experiments"]!.AsArray());
        await client.PostAsync("/mlflow/experiments/restore", new { experiment_id = ids[0] });
        await client.PostAsync("/mlflow/experiments/update", new { experiment_id = ids[0], new_name = $"{mark} renamed" });
        await client.PostAsync("/mlflow/experiments/set-experiment-tag", new { experiment_id = ids[0], key = "a", value = "b" });
        await client.PostAsync("/mlflow/experiments/delete-experiment-tag", new { experiment_id = ids[0], key = "mark" });
        var read = await client.GetAsync($"/mlflow/experiments/get?experiment_id={ids[0]}");
        Assert.Equal($"{mark} renamed", (string)read["experiment"]!["name"]!);
        Assert.Equal("""[{"key":"a","value":"b"}]""", read["experiment"]!["tags"]!.ToJsonString());
        Assert.Equal("Default", (string)(await client.GetAsync("/mlflow/experiments/get?experiment_id=0"))["experiment"]!["name"]!);
    }

    [Fact]
    public async Task LoggedModel_GoesThroughTheCallsOfAClient()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var experiment = await client.ExperimentAsync();
        var run = await client.RunAsync(experiment);
        var made = await client.PostAsync("/mlflow/logged-models", new { experiment_id = experiment, name = "clf", model_type = "sklearn", source_run_id = run, @params = new[] { new { key = "depth", value = "3" } }, tags = new[] { new { key = "t", value = "1" } } });
        var id = (string)made["model"]!["info"]!["model_id"]!;
        Assert.StartsWith("m-", id, StringComparison.Ordinal);
        Assert.Equal("LOGGED_MODEL_PENDING", (string)made["model"]!["info"]!["status"]!);
        Assert.Equal($"mlflow-artifacts:/{experiment}/models/{id}/artifacts", (string)made["model"]!["info"]!["artifact_uri"]!);
        Assert.Equal("LOGGED_MODEL_READY", (string)(await client.CallAsync("PATCH", $"/mlflow/logged-models/{id}", new { status = "LOGGED_MODEL_READY" }))["model"]!["info"]!["status"]!);
        await client.PostAsync("/mlflow/runs/outputs", new { run_id = run, models = new[] { new { model_id = id, step = 7 } } });
        await client.PostAsync("/mlflow/runs/log-model", new { run_id = run, model_json = $$"""{"run_id":"{{run}}","artifact_path":"clf","flavors":{},"utc_time_created":"2026-01-01"}""" });
        await client.PostAsync("/mlflow/runs/log-metric", new { run_id = run, key = "acc", value = 0.9, timestamp = 1, model_id = id, dataset_name = "iris", dataset_digest = "d" });
        await client.CallAsync("PATCH", $"/mlflow/logged-models/{id}/tags", new { tags = new[] { new { key = "u", value = "2" } } });
        await client.CallAsync("DELETE", $"/mlflow/logged-models/{id}/tags/t");
        await client.PostAsync($"/mlflow/logged-models/{id}/params", new { @params = new[] { new { key = "width", value = "4" } } });
        var read = await client.GetAsync($"/mlflow/logged-models/{id}");
        Assert.Equal("""[{"key":"u","value":"2"}]""", read["model"]!["info"]!["tags"]!.ToJsonString());
        Assert.Equal("""[{"key":"depth","value":"3"},{"key":"width","value":"4"}]""", read["model"]!["data"]!["params"]!.ToJsonString());
        Assert.Equal(0.9, (double)read["model"]!["data"]!["metrics"]![0]!["value"]!);
        Assert.Equal($$"""{"model_outputs":[{"model_id":"{{id}}","step":7}]}""", (await client.GetAsync($"/mlflow/runs/get?run_id={run}"))["run"]!["outputs"]!.ToJsonString());
        var found = await client.PostAsync("/mlflow/logged-models/search", new { experiment_ids = new[] { experiment }, filter = "metrics.acc > 0.8 AND params.depth = '3' AND name = 'clf'", datasets = new[] { new { dataset_name = "iris" } }, order_by = new[] { new { field_name = "metrics.acc", ascending = false } } });
        Assert.Single(found["models"]!.AsArray());
        Assert.Null((await client.PostAsync("/mlflow/logged-models/search", new { experiment_ids = new[] { experiment }, filter = "metrics.acc > 0.8", datasets = new[] { new { dataset_name = "other" } } }))["models"]);
        await client.CallAsync("DELETE", $"/mlflow/logged-models/{id}");
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "GET", $"/mlflow/logged-models/{id}");
    }

    [Fact]
    public async Task Probes_AnswerWithoutAToken()
    {
        using var visitor = product.Visitor();
        Assert.Equal("OK", await visitor.GetStringAsync(new Uri("/health", UriKind.Relative)));
        Assert.StartsWith("3.", await visitor.GetStringAsync(new Uri("/version", UriKind.Relative)), StringComparison.Ordinal);
        Assert.Equal("""{"store_type":"SqlStore","workspaces_enabled":false}""", await visitor.GetStringAsync(new Uri("/api/3.0/mlflow/server-info", UriKind.Relative)));
    }

    [Fact]
    public async Task TokenIsTaken_AsPasswordToo_AndAViewerWritesNothing()
    {
        using var program = await product.ProgramAsync(Roles.Engineer);
        var secret = program.DefaultRequestHeaders.Authorization!.Parameter!;
        using var basic = new MlflowClient(product.With(new("Basic", Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes($"anybody:{secret}")))));
        var run = await basic.RunAsync();
        using var viewer = new MlflowClient(await product.ProgramAsync(Roles.Viewer));
        Assert.Equal(run, (string)(await viewer.GetAsync($"/mlflow/runs/get?run_id={run}"))["run"]!["info"]!["run_id"]!);
        await viewer.PostAsync("/mlflow/runs/search", new { experiment_ids = new[] { "0" } });
        await viewer.RefusedAsync(HttpStatusCode.Forbidden, "PERMISSION_DENIED", "POST", "/mlflow/runs/log-metric", new { run_id = run, key = "a", value = 1, timestamp = 1 });
        using var nobody = new MlflowClient(product.Visitor());
        await nobody.RefusedAsync(HttpStatusCode.Unauthorized, "UNAUTHENTICATED", "GET", $"/mlflow/runs/get?run_id={run}");
        await nobody.RefusedAsync(HttpStatusCode.Unauthorized, "UNAUTHENTICATED", "GET", $"/ajax-api/2.0/mlflow/runs/get?run_id={run}");
    }
}
