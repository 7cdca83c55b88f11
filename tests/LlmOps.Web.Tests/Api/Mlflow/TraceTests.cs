using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Web.Tests.Api.Otlp;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Tests.Api.Mlflow;

/// <summary>Traces as MLflow's clients write and read them, which are the traces of the pages.</summary>
public sealed class TraceTests(WebProduct product)
{
    private const string V3 = "/api/3.0";
    private const long At = 1_700_000_000_000;

    private static string NewTrace() => Guid.NewGuid().ToString("N");

    private static string Base64(string hex) => Convert.ToBase64String(Convert.FromHexString(hex));

    private static object Start(string trace, string experiment, object? metadata = null, object? tags = null) => new
    {
        trace = new
        {
            trace_info = new
            {
                trace_id = "tr-" + trace, client_request_id = "req-7", trace_location = new { type = "MLFLOW_EXPERIMENT", mlflow_experiment = new { experiment_id = experiment } }, request_preview = "what is 6*7?", response_preview = "42",
                request_time = "2023-11-14T22:13:20Z", execution_duration = "1.5s", state = "OK", trace_metadata = metadata ?? new { }, tags = tags ?? new { },
            },
        },
    };

    /// <summary>As Python writes it: JSON in every value of an attribute.</summary>
    private static string PythonFile(string trace) => JsonSerializer.Serialize(new
    {
        spans = new object[]
        {
            new
            {
                trace_id = Base64(trace), span_id = Base64("00000000000000a1"), parent_span_id = "", name = "answer", start_time_unix_nano = At * 1_000_000 + 123, end_time_unix_nano = At * 1_000_000 + 1_500_000_123, events = Array.Empty<object>(),
                status = new { code = "STATUS_CODE_OK", message = "" },
                attributes = new Dictionary<string, string> { ["mlflow.traceRequestId"] = $"\"tr-{trace}\"", ["mlflow.spanType"] = "\"CHAIN\"", ["mlflow.spanInputs"] = """{"question": "what is 6*7?"}""", ["mlflow.spanOutputs"] = "\"42\"", ["depth"] = "3" },
            },
            new
            {
                trace_id = Base64(trace), span_id = Base64("00000000000000a2"), parent_span_id = Base64("00000000000000a1"), name = "call", start_time_unix_nano = At * 1_000_000 + 2_000_000, end_time_unix_nano = At * 1_000_000 + 902_000_000,
                events = new[] { new { name = "exception", time_unix_nano = At * 1_000_000 + 5_000_000, attributes = new { message = "slow" } } }, status = new { code = "STATUS_CODE_ERROR", message = "timed out" },
                attributes = new Dictionary<string, string> { ["mlflow.spanType"] = "\"CHAT_MODEL\"", ["mlflow.llm.model"] = "\"gpt-x\"", ["mlflow.spanInputs"] = """{"messages": [{"role": "user", "content": "what is 6*7? ask ada@example.org"}]}""", ["mlflow.chat.tokenUsage"] = """{"input_tokens": 12, "output_tokens": 3, "total_tokens": 15}""" },
            },
        },
    });

    private static async Task PutAsync(MlflowClient client, string path, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await client.Http.PutAsync(new Uri("/api/2.0/mlflow-artifacts/artifacts/" + path, UriKind.Relative), content);
        Assert.Equal((HttpStatusCode.OK, "{}"), (answer.StatusCode, await answer.Content.ReadAsStringAsync()));
    }

    private static async Task<JsonObject> InfoAsync(MlflowClient client, string trace) => (JsonObject)(await client.GetAsync($"{V3}/mlflow/traces/tr-{trace}"))["trace"]!["trace_info"]!;

    private static async Task<List<string>> FoundAsync(MlflowClient client, string experiment, string? filter, params string[] order)
    {
        var found = await client.PostAsync($"{V3}/mlflow/traces/search", new { locations = new[] { new { type = "MLFLOW_EXPERIMENT", mlflow_experiment = new { experiment_id = experiment } } }, filter, order_by = order });
        return [.. (found["traces"] as JsonArray ?? []).Select(t => ((string)t!["trace_id"]!)[3..])];
    }

    private async Task<List<Span>> StoredAsync(string trace)
    {
        await using var db = await product.Get<IDbContextFactory<LlmOpsDb>>().CreateDbContextAsync();
        return await db.Spans.AsNoTracking().Where(s => s.TraceId == trace).OrderBy(s => s.SpanId).ToListAsync();
    }

    [Fact]
    public async Task Metrics_OfManyTraces_HaveTheShapeThatClientsRead()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var experiment = await client.ExperimentAsync();
        foreach (var session in new[] { "s1", "s2" })
            await client.PostAsync($"{V3}/mlflow/traces", Start(NewTrace(), experiment, metadata: new Dictionary<string, string> { ["mlflow.trace.session"] = session }));
        const string Path = V3 + "/mlflow/traces/metrics";
        object Query(params string[] filters) => new
        {
            experiment_ids = new[] { experiment }, view_type = "TRACES", metric_name = "latency", aggregations = new object[] { new { aggregation_type = "AVG" }, new { aggregation_type = "PERCENTILE", percentile_value = 99 } }, dimensions = new[] { "trace_name" },
            filters, time_interval_seconds = 3600, start_time_ms = At.ToString(System.Globalization.CultureInfo.InvariantCulture), end_time_ms = At,
        };
        Assert.Equal("""{"data_points":[{"metric_name":"latency","dimensions":{"time_bucket":"2023-11-14T22:00:00+00:00","trace_name":"trace"},"values":{"AVG":1500,"P99.0":1500}}]}""", (await client.PostAsync(Path, Query())).ToJsonString(LlmOps.Lifecycle.Data.Json.Options));
        Assert.Equal("""{"data_points":[]}""", (await client.PostAsync(Path, Query("trace.status = 'ERROR'"))).ToJsonString());
        Assert.Equal(1, (double)(await client.PostAsync(Path, new { experiment_ids = new[] { experiment }, view_type = "TRACES", metric_name = "trace_count", aggregations = new[] { new { aggregation_type = "COUNT" } }, filters = new[] { "trace.metadata.`mlflow.trace.session` = 's2'" } }))["data_points"]![0]!["values"]!["COUNT"]!);
        foreach (var body in new object[] { new { }, new { view_type = 7 }, "[]", new { experiment_ids = new[] { experiment }, view_type = "TRACES", metric_name = "latency", aggregations = new object?[] { null } }, new { experiment_ids = new[] { experiment }, view_type = "TRACES", metric_name = "latency", aggregations = "AVG" }, Query("trace.status = ") })
            await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", Path, body);
    }

    [Fact]
    public async Task StartedTrace_IsOnThePage_AndItsUploadedSpansTakeItsPlace()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var (experiment, trace) = (await client.ExperimentAsync(), NewTrace());
        var started = (await client.PostAsync($"{V3}/mlflow/traces", Start(trace, experiment, new Dictionary<string, string> { ["mlflow.trace.session"] = "s-1" }, new Dictionary<string, string> { ["mlflow.traceName"] = "the question", ["team"] = "core" })))["trace"]!["trace_info"]!;
        Assert.Equal(["tr-" + trace, "req-7", "2023-11-14T22:13:20.000Z", "1.5s", "OK", "what is 6*7?", "42"],
            new[] { "trace_id", "client_request_id", "request_time", "execution_duration", "state", "request_preview", "response_preview" }.Select(k => (string)started[k]!));
        Assert.Equal(($"mlflow-artifacts:/{experiment}/traces/tr-{trace}/artifacts", null, "core", "the question"), ((string)started["tags"]!["mlflow.artifactLocation"]!, started["tags"]!["mlflow.trace.spansLocation"], (string)started["tags"]!["team"]!, (string)started["tags"]!["mlflow.traceName"]!));
        using var browser = await product.SessionAsync(Roles.Viewer);
        Assert.Contains("what is 6*7?", await browser.GetStringAsync(new Uri($"/traces/{trace}", UriKind.Relative)), StringComparison.Ordinal);

        await PutAsync(client, $"{experiment}/traces/tr-{trace}/artifacts/traces.json", PythonFile(trace));
        var spans = await StoredAsync(trace);
        Assert.Equal([("answer", "invoke_workflow", 1500.0), ("call", "chat", 900.0)], spans.Select(s => (s.Name, s.Kind, s.DurationMs)));
        Assert.Equal(("""{"question":"what is 6*7?"}""", "42", "s-1", null), (spans[0].Input, spans[0].Output, spans[0].SessionId, spans[0].Error));
        Assert.Equal(("00000000000000a1", "gpt-x", 12, 3, "timed out", At + 2), (spans[1].ParentSpanId, spans[1].Model, spans[1].InputTokens, spans[1].OutputTokens, spans[1].Error, spans[1].StartedAt.ToUnixTimeMilliseconds()));
        Assert.DoesNotContain("ada@example.org", spans[1].Input, StringComparison.Ordinal);
        Assert.Contains("invoke_workflow", await browser.GetStringAsync(new Uri($"/traces/{trace}", UriKind.Relative)), StringComparison.Ordinal);

        var info = await InfoAsync(client, trace);
        Assert.Equal(("TRACKING_STORE", """{"input_tokens":12,"output_tokens":3,"total_tokens":15}""", "s-1"), ((string)info["tags"]!["mlflow.trace.spansLocation"]!, (string)info["trace_metadata"]!["mlflow.trace.tokenUsage"]!, (string)info["trace_metadata"]!["mlflow.trace.session"]!));
        // the same upload again adds nothing
        await PutAsync(client, $"{experiment}/traces/tr-{trace}/artifacts/traces.json", PythonFile(trace));
        Assert.Equal(2, (await StoredAsync(trace)).Count);
    }

    [Fact]
    public async Task SpansAreReadBack_AsFileAndInTheFormOfOpenTelemetry()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var (experiment, trace) = (await client.ExperimentAsync(), NewTrace());
        // without a start: the file alone makes the trace
        await PutAsync(client, $"{experiment}/traces/tr-{trace}/artifacts/traces.json", PythonFile(trace));
        foreach (var address in new[] { $"/api/2.0/mlflow-artifacts/artifacts/{experiment}/traces/tr-{trace}/artifacts/traces.json", $"/ajax-api/3.0/mlflow/get-trace-artifact?request_id=tr-{trace}" })
        {
            var file = JsonNode.Parse(await client.Http.GetStringAsync(new Uri(address, UriKind.Relative)))!["spans"]!.AsArray();
            var root = file[0]!;
            Assert.Equal((Base64(trace), Base64("00000000000000a1"), null, At * 1_000_000 + 123, At * 1_000_000 + 1_500_000_123), ((string)root["trace_id"]!, (string)root["span_id"]!, root["parent_span_id"], (long)root["start_time_unix_nano"]!, (long)root["end_time_unix_nano"]!));
            Assert.Equal(["3", "\"invoke_workflow\"", """{"question":"what is 6*7?"}""", "\"42\"", "\"CHAIN\"", $"\"tr-{trace}\""], root["attributes"]!.AsObject().Select(a => (string)a.Value!));
            Assert.Equal(("STATUS_CODE_ERROR", "timed out", "exception", At * 1_000_000 + 5_000_000), ((string)file[1]!["status"]!["code"]!, (string)file[1]!["status"]!["message"]!, (string)file[1]!["events"]![0]!["name"]!, (long)file[1]!["events"]![0]!["time_unix_nano"]!));
        }
        var whole = (await client.GetAsync($"{V3}/mlflow/traces/get?trace_id=tr-{trace}"))["trace"]!;
        var attributes = whole["spans"]![0]!["attributes"]!.AsArray().ToDictionary(a => (string)a!["key"]!, a => a!["value"]!.ToJsonString());
        Assert.Equal(("""{"int_value":3}""", """{"string_value":"42"}""", """{"kvlist_value":{"values":[{"key":"question","value":{"string_value":"what is 6*7?"}}]}}"""), (attributes["depth"], attributes["mlflow.spanOutputs"], attributes["mlflow.spanInputs"]));
        Assert.Equal((Base64(trace), Base64("00000000000000a1")), ((string)whole["spans"]![1]!["trace_id"]!, (string)whole["spans"]![1]!["parent_span_id"]!));
        var batch = (await client.GetAsync($"{V3}/mlflow/traces/batchGet?trace_ids=tr-{trace}&trace_ids=tr-{NewTrace()}&trace_ids=none"))["traces"]!.AsArray();
        Assert.Equal(2, Assert.Single(batch)!["spans"]!.AsArray().Count);
        Assert.Equal("tr-" + trace, (string)(await client.PostAsync($"{V3}/mlflow/traces/batchGetInfos", new { trace_ids = new[] { trace } }))["trace_infos"]![0]!["trace_id"]!);
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "GET", $"/mlflow-artifacts/artifacts/{experiment}/traces/tr-{NewTrace()}/artifacts/traces.json");
    }

    [Fact]
    public async Task ATraceOfTypeScript_AndOneOfVersionOne_AreReadAlike()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var (experiment, first, second) = (await client.ExperimentAsync(), NewTrace(), NewTrace());
        await PutAsync(client, $"{experiment}/traces/tr-{first}/artifacts/traces.json", $$$"""{"spans":[{"trace_id":"","span_id":"{{{Base64("00000000000000b1")}}}","parent_span_id":"","name":"t","start_time_unix_nano":"{{{At}}}000000","end_time_unix_nano":{{{At + 20}}}000000,"status":{"code":"STATUS_CODE_OK"},"attributes":{"mlflow.spanType":"LLM","mlflow.spanInputs":{"a":[1,2.5]},"mlflow.spanOutputs":"plain"}}]}""");
        await PutAsync(client, $"{experiment}/traces/tr-{second}/artifacts/traces.json", $$"""{"spans":[{"name":"t","context":{"span_id":"0xb2","trace_id":"0x{{second}}"},"parent_id":null,"start_time":{{At}}000000,"end_time":{{At + 20}}000000,"status_code":"ERROR","status_message":"broke","attributes":{"mlflow.spanType":"\"TOOL\""},"events":[]}],"request":"x","response":null}""");
        var spans = (await StoredAsync(first)).Concat(await StoredAsync(second)).ToList();
        Assert.Equal([("00000000000000b1", "text_completion", """{"a":[1,2.5]}""", "plain", null, 20.0), ("00000000000000b2", "execute_tool", null, null, "broke", 20.0)], spans.Select(s => (s.SpanId, s.Kind, s.Input, s.Output, s.Error, s.DurationMs)));
    }

    [Fact]
    public async Task AnOtlpTrace_IsFound_InTheExperimentThatItsHeaderNames()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var (experiment, placed, loose) = (await client.ExperimentAsync(), NewTrace(), NewTrace());
        foreach (var (trace, header) in new[] { (placed, experiment), (loose, null) })
        {
            using var content = new ByteArrayContent(OtlpBytes.Request("shop", OtlpBytes.Span(trace, "00000000000000c1", "chat", (ulong)At * 1_000_000, (ulong)At * 1_000_000 + 250_000_000, 0, ("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "gpt-x"))));
            content.Headers.ContentType = new("application/x-protobuf");
            if (header is not null)
                content.Headers.Add("x-mlflow-experiment-id", header);
            using var answer = await client.Http.PostAsync(new Uri("/v1/traces", UriKind.Relative), content);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
        Assert.Equal([placed], await FoundAsync(client, experiment, "name = 'chat' AND span.type = 'CHAT_MODEL'"));
        Assert.Equal([loose], await FoundAsync(client, "0", $"request_id IN ('tr-{loose}', 'tr-{placed}')"));
        var info = await InfoAsync(client, loose);
        Assert.Equal(("0", "OK", "0.25s", "chat"), ((string)info["trace_location"]!["mlflow_experiment"]!["experiment_id"]!, (string)info["state"]!, (string)info["execution_duration"]!, (string)info["tags"]!["mlflow.traceName"]!));
    }

    [Fact]
    public async Task OldClients_StartAndEndATrace_AndFindIt()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var experiment = await client.ExperimentAsync();
        var started = (await client.PostAsync("/mlflow/traces", new { experiment_id = experiment, timestamp_ms = At, request_metadata = new[] { new { key = "mlflow.traceInputs", value = "q" } }, tags = new[] { new { key = "mlflow.traceName", value = "old" } } }))["trace_info"]!;
        var id = (string)started["request_id"]!;
        Assert.Equal(("IN_PROGRESS", At, null, experiment), ((string)started["status"]!, (long)started["timestamp_ms"]!, started["execution_time_ms"], (string)started["experiment_id"]!));
        var ended = (await client.CallAsync("PATCH", $"/mlflow/traces/{id}", new { timestamp_ms = At + 750, status = "ERROR", request_metadata = new[] { new { key = "mlflow.traceOutputs", value = "a" } }, tags = new[] { new { key = "team", value = "core" } } }))["trace_info"]!;
        Assert.Equal(("ERROR", 750L), ((string)ended["status"]!, (long)ended["execution_time_ms"]!));
        var read = (await client.GetAsync($"/mlflow/traces/{id}/info"))["trace_info"]!;
        Assert.Equal(["mlflow.traceInputs=q", "mlflow.traceOutputs=a", "mlflow.trace_schema.version=3"], read["request_metadata"]!.AsArray().Select(p => $"{p!["key"]}={p["value"]}"));
        var found = (await client.GetAsync($"/mlflow/traces?experiment_ids={experiment}&filter={Uri.EscapeDataString("status = 'ERROR' AND tags.team = 'core'")}"))["traces"]!.AsArray();
        Assert.Equal(id, (string)Assert.Single(found)!["request_id"]!);
        await client.CallAsync("PATCH", $"/mlflow/traces/{id}/tags", new { key = "team", value = "edge" });
        await client.CallAsync("DELETE", $"/mlflow/traces/{id}/tags", new { key = "mlflow.traceName" });
        Assert.Equal("edge", (string)(await InfoAsync(client, id[3..]))["tags"]!["team"]!);
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "DELETE", $"/mlflow/traces/{id}/tags", new { key = "never" });
    }

    [Fact]
    public async Task Search_KnowsEveryKey_AndPagesWithoutLosingOrDoublingOne()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var experiment = await client.ExperimentAsync();
        var run = await client.RunAsync(experiment);
        var ids = Enumerable.Range(0, 5).Select(_ => NewTrace()).ToArray();
        for (var i = 0; i < ids.Length; i++)
        {
            // 100 ms apart, each i × 100 ms long, the fourth failed
            await client.PostAsync($"{V3}/mlflow/traces", new
            {
                trace = new
                {
                    trace_info = new
                    {
                        trace_id = "tr-" + ids[i], trace_location = new { mlflow_experiment = new { experiment_id = experiment } }, request_time = $"2023-11-14T22:13:20.{i}00Z", execution_duration = $"0.{i}s", state = i == 3 ? "ERROR" : "OK",
                        request_preview = $"question {i}", client_request_id = $"c{i}", tags = new Dictionary<string, string> { ["n"] = $"v{i}", ["mlflow.traceName"] = i < 2 ? "early" : "late" }, trace_metadata = new Dictionary<string, string> { ["mlflow.sourceRun"] = i == 0 ? run : "other", ["mlflow.trace.session"] = $"s{i % 2}" },
                    },
                },
            });
        }
        await client.PostAsync("/mlflow/traces/link-to-run", new { trace_ids = new[] { "tr-" + ids[4] }, run_id = run });
        await client.PostAsync($"{V3}/mlflow/traces/tr-{ids[2]}/assessments", new { assessment = new { assessment_name = "correct", source = new { source_type = "HUMAN", source_id = "ada" }, feedback = new { value = true } } });
        await client.PostAsync($"{V3}/mlflow/traces/tr-{ids[3]}/assessments", new { assessment = new { assessment_name = "score", source = new { source_type = "CODE" }, feedback = new { value = 0.25 } } });
        await client.PostAsync($"{V3}/mlflow/traces/tr-{ids[1]}/assessments", new { assessment = new { assessment_name = "answer", source = new { source_type = "HUMAN" }, expectation = new { value = "Paris" } } });
        await client.PostAsync($"{V3}/mlflow/traces/tr-{ids[0]}/assessments", new { assessment = new { assessment_name = "thumbs", source = new { source_type = "HUMAN" }, feedback = new { value = false } } });
        (string Filter, int[] Expected)[] table =
        [
            ("", [4, 3, 2, 1, 0]), ("status = 'ERROR'", [3]), ("trace.status != 'ERROR' AND name = 'late'", [4, 2]), ("attributes.timestamp_ms >= 1700000000300", [4, 3]), ("timestamp < 1700000000100", [0]),
            ("execution_time_ms > 100 AND execution_time_ms <= 300", [3, 2]), ("tags.n = 'v1' OR tag.n = 'v2'", [2, 1]), ("tags.n LIKE 'v%' AND NOTHING", [-1]), ("metadata.`mlflow.trace.session` = 's1'", [3, 1]), ($"run_id = '{run}'", [4, 0]),
            ($"metadata.mlflow.sourceRun = '{run}'", [4, 0]), ($"run_id != '{run}'", [3, 2, 1]), ($"request_id = 'tr-{ids[2]}'", [2]), ("client_request_id IN ('c1', 'c4')", [4, 1]), ("trace.text ILIKE '%QUESTION 3%'", [3]), ("span.content LIKE '%question 0%'", [0]),
            ("span.type = 'UNKNOWN' AND span.name = 'late'", [4, 3, 2]), ("feedback.correct = 'true'", [2]), ("feedback.score < 0.5", [3]), ("feedback.score > 0.5", []), ("expectation.answer = 'Paris'", [1]), ("feedback.thumbs = 'false'", [0]), ("feedback.correct IS NOT NULL", [2]),
            ("tags.`mlflow.traceName` ILIKE 'EARL_'", [1, 0]), ("tags.none IS NULL AND (name = 'early' AND status = 'OK')", [1, 0]),
        ];
        foreach (var (filter, expected) in table)
            if (expected is [-1])
                await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", $"{V3}/mlflow/traces/search", new { experiment_ids = new[] { experiment }, filter });
            else
                Assert.Equal((filter, string.Join(' ', expected)), (filter, string.Join(' ', (await FoundAsync(client, experiment, filter)).Select(t => Array.IndexOf(ids, t)))));
        Assert.Equal([3, 0, 1, 2, 4], (await FoundAsync(client, experiment, null, "status ASC", "timestamp_ms ASC")).Select(t => Array.IndexOf(ids, t)));
        var (paged, token) = (new List<int>(), (string?)null);
        do
        {
            var page = await client.PostAsync($"{V3}/mlflow/traces/search", new { experiment_ids = new[] { experiment }, max_results = 2, order_by = new[] { "execution_time_ms DESC" }, page_token = token });
            paged.AddRange(page["traces"]!.AsArray().Select(t => Array.IndexOf(ids, ((string)t!["trace_id"]!)[3..])));
            token = (string?)page["next_page_token"];
        }
        while (token is not null);
        Assert.Equal([4, 3, 2, 1, 0], paged);
        // early and session s1: 1 of 5; 2/5 and 2/5 each: log(0.2 / 0.16) / -log 0.2
        var together = await client.PostAsync($"{V3}/mlflow/traces/calculate-filter-correlation", new { experiment_ids = new[] { experiment }, filter_string1 = "name = 'early'", filter_string2 = "metadata.`mlflow.trace.session` = 's1'" });
        Assert.Equal((2, 2, 1, 5), ((int)together["filter1_count"]!, (int)together["filter2_count"]!, (int)together["joint_count"]!, (int)together["total_count"]!));
        Assert.Equal(0.138647, (double)together["npmi"]!, 6);
        Assert.Equal(Math.Log(1.5 / 7 / (9.0 / 49)) / -Math.Log(1.5 / 7), (double)together["npmi_smoothed"]!, 9);
    }

    [Fact]
    public async Task DeletedTraces_AreGone_WithWhatWasSaidOfThem()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var (experiment, ids) = (await client.ExperimentAsync(), Enumerable.Range(0, 4).Select(_ => NewTrace()).ToArray());
        foreach (var id in ids)
            await client.PostAsync($"{V3}/mlflow/traces", Start(id, experiment));
        await client.PostAsync($"{V3}/mlflow/traces/tr-{ids[0]}/assessments", new { assessment = new { assessment_name = "a", feedback = new { value = 1 } } });
        await client.PostAsync("/mlflow/traces/link-prompts", new { trace_id = "tr-" + ids[0], prompt_versions = new[] { new { name = "greeting", version = "3" }, new { name = "greeting", version = "3" } } });
        Assert.Equal("""[{"name":"greeting","version":"3"}]""", (string)(await InfoAsync(client, ids[0]))["tags"]!["mlflow.linkedPrompts"]!);
        var other = await client.ExperimentAsync();
        Assert.Equal(0, (int)(await client.PostAsync($"{V3}/mlflow/traces/delete-traces", new { experiment_id = other, request_ids = new[] { ids[0] } }))["traces_deleted"]!);
        Assert.Equal(1, (int)(await client.PostAsync($"{V3}/mlflow/traces/delete-traces", new { experiment_id = experiment, request_ids = new[] { "tr-" + ids[0], "tr-" + NewTrace() } }))["traces_deleted"]!);
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "GET", $"{V3}/mlflow/traces/tr-{ids[0]}");
        Assert.Equal(2, (int)(await client.PostAsync("/mlflow/traces/delete-traces", new { experiment_id = experiment, max_timestamp_millis = At + 1000, max_traces = 2 }))["traces_deleted"]!);
        Assert.Equal(1, (int)(await client.PostAsync("/mlflow/traces/delete-traces", new { experiment_id = experiment, max_timestamp_millis = At + 1000 }))["traces_deleted"]!);
        await using var db = await product.Get<IDbContextFactory<LlmOpsDb>>().CreateDbContextAsync();
        Assert.Equal((0, 0, 0, 0), (await db.Spans.CountAsync(s => ids.Contains(s.TraceId)), await db.LoggedTraces.CountAsync(t => ids.Contains(t.TraceId)), await db.TraceTags.CountAsync(t => ids.Contains(t.TraceId)), await db.Assessments.CountAsync(a => ids.Contains(a.TraceId))));
    }
}
