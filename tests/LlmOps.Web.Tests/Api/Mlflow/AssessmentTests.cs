using System.Net;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Web.Tests.Api.Mlflow;

/// <summary>Feedback and expectations: made, read, changed by mask, replaced and taken back.</summary>
public sealed class AssessmentTests(WebProduct product)
{
    private static async Task<(string Id, string Path)> TraceAsync(MlflowClient client)
    {
        var id = Guid.NewGuid().ToString("N");
        await client.PostAsync("/mlflow/traces", new { trace = new { trace_info = new { trace_id = "tr-" + id, trace_location = new { mlflow_experiment = new { experiment_id = "0" } }, request_preview = "q", state = "OK" } } });
        return (id, $"/mlflow/traces/tr-{id}/assessments");
    }

    [Fact]
    public async Task Assessment_IsMadeChangedReplacedAndTakenBack()
    {
        using var client = await MlflowClient.EngineerAsync(product, "/api/3.0");
        var (trace, path) = await TraceAsync(client);
        var made = (await client.PostAsync(path, new { assessment = new { assessment_name = "relevance", source = new { source_type = "LLM_JUDGE", source_id = "judge-1" }, feedback = new { value = "good" }, rationale = "it names the city", metadata = new { run = "7" } } }))["assessment"]!;
        var id = (string)made["assessment_id"]!;
        Assert.Equal(("relevance", "tr-" + trace, "LLM_JUDGE", "judge-1", "good", "it names the city", "7", true),
            ((string)made["assessment_name"]!, (string)made["trace_id"]!, (string)made["source"]!["source_type"]!, (string)made["source"]!["source_id"]!, (string)made["feedback"]!["value"]!, (string)made["rationale"]!, (string)made["metadata"]!["run"]!, (bool)made["valid"]!));
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", (string)made["create_time"]!);
        // only what the mask names
        var changed = (await client.CallAsync("PATCH", $"{path}/{id}", new { assessment = new { assessment_name = "other", feedback = new { value = 3 }, rationale = "second thoughts" }, update_mask = "feedback,rationale" }))["assessment"]!;
        Assert.Equal(("relevance", "3", "second thoughts"), ((string)changed["assessment_name"]!, changed["feedback"]!["value"]!.ToJsonString(), (string)changed["rationale"]!));
        var replaced = (string)(await client.PostAsync(path, new { assessment = new { assessment_name = "relevance", source = new { source_type = "HUMAN", source_id = "ada" }, feedback = new { value = new[] { 1, 2 } }, overrides = id } }))["assessment"]!["assessment_id"]!;
        Assert.False((bool)(await client.GetAsync($"{path}/{id}"))["assessment"]!["valid"]!);
        await client.CallAsync("DELETE", $"{path}/{replaced}");
        Assert.True((bool)(await client.GetAsync($"{path}/{id}"))["assessment"]!["valid"]!);
        var failed = (await client.PostAsync(path, new { assessment = new { assessment_name = "safety", source = new { source_type = "CODE" }, feedback = new { error = new { error_code = "TIMEOUT", error_message = "no answer" } } } }))["assessment"]!;
        Assert.Equal(("TIMEOUT", "no answer", null), ((string)failed["feedback"]!["error"]!["error_code"]!, (string)failed["feedback"]!["error"]!["error_message"]!, failed["feedback"]!["value"]));
        var expected = (await client.PostAsync(path, new { assessment = new { assessment_name = "facts", source = new { source_type = "HUMAN" }, expectation = new { serialized_value = new { serialization_format = "JSON_FORMAT", value = """["a","b"]""" } } } }))["assessment"]!;
        Assert.Equal("""["a","b"]""", (string)expected["expectation"]!["serialized_value"]!["value"]!);
        // they come with the trace
        Assert.Equal(["relevance", "safety", "facts"], (await client.GetAsync($"/mlflow/traces/tr-{trace}"))["trace"]!["trace_info"]!["assessments"]!.AsArray().Select(a => (string)a!["assessment_name"]!));
        await client.CallAsync("DELETE", $"{path}/{id}");
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "GET", $"{path}/{id}");
        using var browser = await product.SessionAsync(Roles.Viewer);
        var page = await browser.GetStringAsync(new Uri($"/traces/{trace}", UriKind.Relative));
        Assert.Contains("safety", page, StringComparison.Ordinal);
        Assert.Contains("no answer", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Thumbs_AreThoseOfThePages_AndTheirOwnersAlone()
    {
        using var client = await MlflowClient.EngineerAsync(product, "/api/3.0");
        using var other = await MlflowClient.EngineerAsync(product, "/api/3.0");
        var (trace, path) = await TraceAsync(client);
        var id = (string)(await client.PostAsync(path, new { assessment = new { assessment_name = "thumbs", source = new { source_type = "HUMAN" }, feedback = new { value = true }, rationale = "nice" } }))["assessment"]!["assessment_id"]!;
        await other.PostAsync(path, new { assessment = new { assessment_name = "thumbs", source = new { source_type = "HUMAN" }, feedback = new { value = false } } });
        // a second one of the same person is the same
        Assert.Equal(id, (string)(await client.PostAsync(path, new { assessment = new { assessment_name = "thumbs", source = new { source_type = "HUMAN" }, feedback = new { value = false } } }))["assessment"]!["assessment_id"]!);
        Assert.Equal([-1, -1], (await product.Get<ReadTraces>().GetAsync(trace)).Feedback.Select(f => f.Score));
        await client.CallAsync("PATCH", $"{path}/{id}", new { assessment = new { feedback = new { value = true } } });
        Assert.Equal([-1, 1], (await product.Get<ReadTraces>().GetAsync(trace)).Feedback.Select(f => f.Score).Order());
        await other.RefusedAsync(HttpStatusCode.Forbidden, "PERMISSION_DENIED", "PATCH", $"{path}/{id}", new { assessment = new { feedback = new { value = false } } });
        await other.RefusedAsync(HttpStatusCode.Forbidden, "PERMISSION_DENIED", "DELETE", $"{path}/{id}");
        await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", path, new { assessment = new { assessment_name = "thumbs", source = new { source_type = "HUMAN" }, feedback = new { value = "up" } } });
        await client.CallAsync("DELETE", $"{path}/{id}");
        Assert.Equal([-1], (await product.Get<ReadTraces>().GetAsync(trace)).Feedback.Select(f => f.Score));
    }

    [Fact]
    public async Task WrongTracesAndAssessments_AreRefused_AndNeverAFailureOfTheServer()
    {
        using var client = await MlflowClient.EngineerAsync(product, "/api/3.0");
        var (trace, path) = await TraceAsync(client);
        static string Text(int length) => new('x', length);
        static string Info(string fields) => "{\"trace\":{\"trace_info\":{" + fields + "}}}";
        var fresh = Guid.NewGuid().ToString("N");
        (string Path, object Body)[] bad =
        [
            ("/mlflow/traces", "{}"), ("/mlflow/traces", """{"trace":null}"""), ("/mlflow/traces", Info("\"trace_id\":\"tr-1\"")), ("/mlflow/traces", Info("\"trace_id\":\"../../etc/passwd\"")), ("/mlflow/traces", Info($"\"trace_id\":\"{Text(100_000)}\"")),
            ("/mlflow/traces", Info($"\"trace_id\":\"tr-{new string('0', 32)}\"")), ("/mlflow/traces", Info($"\"trace_id\":\"tr-{fresh}\",\"request_time\":\"NaN\"")), ("/mlflow/traces", Info($"\"trace_id\":\"tr-{fresh}\",\"request_time\":\"0001-01-01T00:00:00Z\"")),
            ("/mlflow/traces", Info($"\"trace_id\":\"tr-{fresh}\",\"execution_duration\":\"-1s\"")), ("/mlflow/traces", Info($"\"trace_id\":\"tr-{fresh}\",\"execution_duration\":\"Infinitys\"")), ("/mlflow/traces", Info($"\"trace_id\":\"tr-{fresh}\",\"state\":\"DONE\"")),
            ("/mlflow/traces", Info($"\"trace_id\":\"tr-{fresh}\",\"tags\":{{\"{Text(251)}\":\"v\"}}")), ("/mlflow/traces", Info($"\"trace_id\":\"tr-{fresh}\",\"tags\":{{\"k\":\"{Text(8001)}\"}}")), ("/mlflow/traces", Info($"\"trace_id\":\"tr-{fresh}\",\"tags\":[1]")), ("/mlflow/traces", Info($"\"trace_id\":\"tr-{fresh}\",\"client_request_id\":\"a\\u0000b\"")),
            (path, "{}"), (path, new { assessment = new { assessment_name = "a" } }), (path, new { assessment = new { assessment_name = "a", feedback = new { value = 1 }, expectation = new { value = 1 } } }), (path, new { assessment = new { assessment_name = "a.b", feedback = new { value = 1 } } }),
            (path, new { assessment = new { assessment_name = "", feedback = new { value = 1 } } }), (path, new { assessment = new { assessment_name = Text(251), feedback = new { value = 1 } } }), (path, new { assessment = new { assessment_name = "a", feedback = new { } } }), (path, """{"assessment":{"assessment_name":"a","feedback":{"value":null}}}"""),
            (path, new { assessment = new { assessment_name = "a", feedback = new { value = Text(70_000) } } }), (path, """{"assessment":{"assessment_name":"a","feedback":{"value":"\u0000"}}}"""), (path, """{"assessment":{"assessment_name":"a","feedback":{"value":["\ud800"]}}}"""), (path, new { assessment = new { assessment_name = "a", source = new { source_type = "GOD" }, feedback = new { value = 1 } } }),
            (path, new { assessment = new { assessment_name = "a", expectation = new { value = 1 }, error = new { error_code = "E" } } }), (path, new { assessment = new { assessment_name = "a", expectation = new { serialized_value = new { value = "{" } } } }),
            ("/mlflow/traces/delete-traces", new { experiment_id = "0" }), ("/mlflow/traces/delete-traces", new { experiment_id = "0", max_timestamp_millis = 1, request_ids = new[] { trace } }), ("/mlflow/traces/delete-traces", new { experiment_id = "0", max_timestamp_millis = long.MaxValue }), ("/mlflow/traces/delete-traces", new { max_timestamp_millis = 1 }),
            ("/mlflow/traces/search", new { experiment_ids = new[] { "0" }, max_results = 501 }), ("/mlflow/traces/search", new { experiment_ids = new[] { "0" }, max_results = 0 }), ("/mlflow/traces/search", new { experiment_ids = new[] { "0" }, filter = "status = 'OK'; DROP TABLE spans" }), ("/mlflow/traces/search", new { experiment_ids = new[] { "0" }, filter = "owner = 'a'" }),
            ("/mlflow/traces/search", new { experiment_ids = new[] { "0" }, filter = "timestamp_ms = 'x'" }), ("/mlflow/traces/search", new { experiment_ids = new[] { "0" }, filter = "span.size > 3" }), ("/mlflow/traces/search", new { experiment_ids = new[] { "0" }, filter = "run_id LIKE 'a%'" }), ("/mlflow/traces/search", new { experiment_ids = new[] { "0" }, order_by = new[] { "owner" } }),
            ("/mlflow/traces/search", new { experiment_ids = new[] { "0" }, page_token = "???" }), ("/mlflow/traces/search", new { locations = new[] { new { type = "UC_SCHEMA" } } }), ("/api/2.0/mlflow/traces", new { experiment_id = "0", timestamp_ms = -1 }), ("/api/2.0/mlflow/traces", new { timestamp_ms = 1 }),
            ("/api/2.0/mlflow/traces/link-to-run", new { trace_ids = Enumerable.Repeat("tr-" + trace, 101), run_id = fresh }), ("/api/2.0/mlflow/traces/link-prompts", new { trace_id = "tr-" + trace, prompt_versions = new[] { new { name = "p", version = "newest" } } }),
        ];
        foreach (var (address, body) in bad)
            await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", address, body);
        await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "PATCH", $"/mlflow/traces/tr-{trace}/tags", new { key = "mlflow.artifactLocation", value = "file:///etc" });
        (string Method, string Path, object? Body)[] missing =
        [
            ("GET", "/mlflow/traces/tr-" + fresh, null), ("GET", "/mlflow/traces/..%2F..%2Fetc", null), ("GET", "/mlflow/traces/get?trace_id=' OR 1=1 --", null), ("PATCH", $"/mlflow/traces/tr-{fresh}/tags", new { key = "a", value = "b" }), ("GET", $"{path}/a-{fresh}", null), ("GET", $"{path}/1", null),
            ("PATCH", $"{path}/a-{fresh}", new { assessment = new { rationale = "x" } }), ("DELETE", $"{path}/a-{fresh}", null), ("POST", $"/mlflow/traces/tr-{fresh}/assessments", new { assessment = new { assessment_name = "a", feedback = new { value = 1 } } }), ("POST", path, new { assessment = new { assessment_name = "a", span_id = "nope", feedback = new { value = 1 } } }),
            ("POST", "/api/2.0/mlflow/traces/link-to-run", new { trace_ids = new[] { "tr-" + trace }, run_id = fresh }), ("POST", "/mlflow/traces", new { trace = new { trace_info = new { trace_id = "tr-" + fresh, trace_location = new { mlflow_experiment = new { experiment_id = fresh } } } } }),
            ("GET", "/mlflow/get-trace-artifact?request_id=tr-" + fresh, null), ("GET", "/mlflow/get-trace-artifact?request_id=..", null),
        ];
        foreach (var (method, address, body) in missing)
            await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", method, address, body);
        await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "GET", $"/mlflow/get-trace-artifact?request_id=tr-{trace}&path=../../secrets");
        foreach (var file in new[] { "no json", "[]", "{}", """{"spans":{}}""", """{"spans":[1]}""", """{"spans":[{"name":"x"}]}""", """{"spans":[{"span_id":"zz","name":"x","start_time_unix_nano":1}]}""", """{"spans":[{"span_id":"AAAAAAAAAKE=","name":"\ud800","start_time_unix_nano":1}]}""", """{"spans":[{"span_id":"AAAAAAAAAKE=","name":"a","start_time_unix_nano":"NaN"}]}""", """{"spans":[{"span_id":"AAAAAAAAAKE=","name":"a","start_time_unix_nano":1,"attributes":7}]}""", """{"spans":[{"span_id":"AAAAAAAAAKE=","name":"a","start_time_unix_nano":1,"attributes":{"a":""" + new string('[', 60) + new string(']', 60) + "}}]}" })
        {
            using var content = new StringContent(file);
            using var answer = await client.Http.PutAsync(new Uri($"/api/2.0/mlflow-artifacts/artifacts/0/traces/tr-{trace}/artifacts/traces.json", UriKind.Relative), content);
            Assert.True(answer.StatusCode == HttpStatusCode.BadRequest, $"{(int)answer.StatusCode} for {file[..Math.Min(80, file.Length)]}: {await answer.Content.ReadAsStringAsync()}");
        }
        // Nothing of all that was stored.
        Assert.Single((await product.Get<ReadTraces>().GetAsync(trace)).Spans);
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "GET", "/mlflow/traces/tr-" + fresh);
        Assert.Null((await client.GetAsync($"/mlflow/traces/tr-{trace}"))["trace"]!["trace_info"]!["assessments"]);
    }
}
