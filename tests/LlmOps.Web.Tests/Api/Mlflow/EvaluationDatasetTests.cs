using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Identity;

namespace LlmOps.Web.Tests.Api.Mlflow;

/// <summary>Evaluation datasets as MLflow's clients make, fill, search and read them.</summary>
public sealed class EvaluationDatasetTests(WebProduct product)
{
    private const string Path = "/mlflow/datasets";

    private static async Task<JsonObject> CreateAsync(MlflowClient client, string name, params string[] experiments) =>
        (JsonObject)(await client.PostAsync(Path + "/create", new { name, experiment_ids = experiments, source_type = "HUMAN", tags = """{"team":"core","round":2}""" }))["dataset"]!;

    private static async Task<(int Inserted, int Updated)> UpsertAsync(MlflowClient client, string id, params object[] records)
    {
        var done = await client.PostAsync($"{Path}/{id}/records", new { records = JsonSerializer.Serialize(records) });
        return ((int)done["inserted_count"]!, (int)done["updated_count"]!);
    }

    private static async Task<JsonArray> RecordsAsync(MlflowClient client, string id) => JsonNode.Parse((string)(await client.GetAsync($"{Path}/{id}/records"))["records"]!)!.AsArray();

    [Fact]
    public async Task Dataset_IsMadeFilledReadAndDeleted()
    {
        using var client = await MlflowClient.EngineerAsync(product, "/api/3.0");
        var experiment = (string)(await client.PostAsync("/api/2.0/mlflow/experiments/create", new { name = $"e{Guid.NewGuid():N}" }))["experiment_id"]!;
        var made = await CreateAsync(client, "capitals", experiment);
        var id = (string)made["dataset_id"]!;
        Assert.Matches("^d-[0-9a-f]{32}$", id);
        Assert.Equal(("capitals", """{"round":"2","team":"core"}""", experiment), ((string)made["name"]!, (string)made["tags"]!, (string)made["experiment_ids"]![0]!));

        object france = new { inputs = new { question = "capital of France?", k = 1 }, expectations = new { answer = "Paris" }, tags = new { level = "easy" }, source = new { source_type = "TRACE", source_data = new { trace_id = "tr-1" } } };
        Assert.Equal((2, 0), await UpsertAsync(client, id, france, new { inputs = new { question = "capital of Peru?" }, outputs = "Lima" }));
        var digest = (string)(await client.GetAsync($"{Path}/{id}"))["dataset"]!["digest"]!;
        Assert.NotEqual((string)made["digest"]!, digest);
        // the same inputs in another order are the same record, and expectations and tags grow
        Assert.Equal((1, 1), await UpsertAsync(client, id, new { inputs = new { k = 1, question = "capital of France?" }, expectations = new { facts = new[] { "Seine" } }, tags = new { level = "hard" } }, new { inputs = new { question = "capital of Chad?" } }));
        var records = await RecordsAsync(client, id);
        Assert.Equal(3, records.Count);
        var first = records.Single(r => r!["inputs"]!["k"] is not null)!;
        Assert.Equal(("""{"answer":"Paris","facts":["Seine"]}""", """{"level":"hard"}""", "TRACE", "tr-1", id), (first["expectations"]!.ToJsonString(), first["tags"]!.ToJsonString(), (string)first["source_type"]!, (string)first["source_id"]!, (string)first["dataset_id"]!));
        Assert.Equal("\"Lima\"", records.Single(r => r!["outputs"] is not null)!["outputs"]!.ToJsonString());
        Assert.Equal(("""{"num_records":3}""", true), ((string)(await client.GetAsync($"{Path}/{id}"))["dataset"]!["profile"]!, (string)(await client.GetAsync($"{Path}/{id}"))["dataset"]!["digest"]! != digest));

        var (seen, token) = (new List<string>(), (string?)null);
        do
        {
            var page = await client.GetAsync($"{Path}/{id}/records?max_results=2{(token is null ? "" : "&page_token=" + token)}");
            seen.AddRange(JsonNode.Parse((string)page["records"]!)!.AsArray().Select(r => (string)r!["dataset_record_id"]!));
            token = (string?)page["next_page_token"];
        }
        while (token is not null);
        Assert.Equal(records.Select(r => (string)r!["dataset_record_id"]!), seen);
        Assert.Equal(1, (int)(await client.CallAsync("DELETE", $"{Path}/{id}/records", new { dataset_record_ids = new[] { seen[0], "dr-" + Guid.NewGuid().ToString("N"), "x" } }))["deleted_count"]!);
        Assert.Equal(seen.Skip(1), (await RecordsAsync(client, id)).Select(r => (string)r!["dataset_record_id"]!));

        using var browser = await product.SessionAsync(Roles.Viewer);
        Assert.Contains("Evaluation datasets", await browser.GetStringAsync(new Uri("/datasets/evaluation", UriKind.Relative)), StringComparison.Ordinal);
        Assert.Contains("capitals", await browser.GetStringAsync(new Uri($"/datasets/evaluation/{Guid.ParseExact(id[2..], "N")}", UriKind.Relative)), StringComparison.Ordinal);
        await client.CallAsync("DELETE", $"{Path}/{id}");
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "GET", $"{Path}/{id}");
    }

    [Fact]
    public async Task Datasets_AreFoundByExperimentNameAndTag()
    {
        using var client = await MlflowClient.EngineerAsync(product, "/api/3.0");
        async Task<string> ExperimentAsync() => (string)(await client.PostAsync("/api/2.0/mlflow/experiments/create", new { name = $"e{Guid.NewGuid():N}" }))["experiment_id"]!;
        var (one, two) = (await ExperimentAsync(), await ExperimentAsync());
        var ids = new[] { (string)(await CreateAsync(client, "alpha", one))["dataset_id"]!, (string)(await CreateAsync(client, "beta", one, two))["dataset_id"]!, (string)(await CreateAsync(client, "gamma", two))["dataset_id"]! };
        async Task<string> FoundAsync(object search) => string.Join(' ', ((await client.PostAsync(Path + "/search", search))["datasets"] as JsonArray ?? []).Select(d => Array.IndexOf(ids, (string)d!["dataset_id"]!)));
        Assert.Equal("0 1", await FoundAsync(new { experiment_ids = new[] { one }, order_by = new[] { "name" } }));
        Assert.Equal("2 1", await FoundAsync(new { experiment_ids = new[] { two }, order_by = new[] { "name DESC" } }));
        Assert.Equal("1", await FoundAsync(new { experiment_ids = new[] { one }, filter_string = "name LIKE 'b%' AND tags.team = 'core'" }));
        Assert.Equal("", await FoundAsync(new { experiment_ids = new[] { Guid.NewGuid().ToString("N") } }));
        var tagged = (await client.CallAsync("PATCH", $"{Path}/{ids[0]}/tags", new { tags = """{"team":"edge","round":null}""" }))["dataset"]!;
        Assert.Equal("""{"team":"edge"}""", (string)tagged["tags"]!);
        await client.CallAsync("DELETE", $"{Path}/{ids[0]}/tags/team");
        Assert.Equal("{}", (string)(await client.GetAsync($"{Path}/{ids[0]}"))["dataset"]!["tags"]!);
        await client.PostAsync($"{Path}/{ids[0]}/add-experiments", new { experiment_ids = new[] { two, one } });
        Assert.Equal(new[] { one, two }.Order(StringComparer.Ordinal), (await client.GetAsync($"{Path}/{ids[0]}/experiment-ids"))["experiment_ids"]!.AsArray().Select(e => (string)e!));
        var left = (await client.PostAsync($"{Path}/{ids[0]}/remove-experiments", new { experiment_ids = new[] { one } }))["dataset"]!;
        Assert.Equal([two], left["experiment_ids"]!.AsArray().Select(e => (string)e!));
    }

    [Fact]
    public async Task RecordsFromManyAtOnce_AreAllThere_AndTheDigestIsThatOfTheResult()
    {
        using var client = await MlflowClient.EngineerAsync(product, "/api/3.0");
        var id = (string)(await CreateAsync(client, "busy"))["dataset_id"]!;
        var done = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => UpsertAsync(client, id, [.. Enumerable.Range(0, 5).Select(j => (object)new { inputs = new { n = i * 4 + j } })])));
        // 6 × 5 rows over 25 different inputs
        Assert.Equal((25, 5), (done.Sum(d => d.Inserted), done.Sum(d => d.Updated)));
        Assert.Equal(25, (await RecordsAsync(client, id)).Count);
        Assert.Equal("""{"num_records":25}""", (string)(await client.GetAsync($"{Path}/{id}"))["dataset"]!["profile"]!);
    }

    [Fact]
    public async Task WrongRequests_AreRefused_AndNothingIsStored()
    {
        using var client = await MlflowClient.EngineerAsync(product, "/api/3.0");
        var id = (string)(await CreateAsync(client, "strict"))["dataset_id"]!;
        static string Text(int length) => new('x', length);
        (string Path, object Body)[] bad =
        [
            (Path + "/create", new { }), (Path + "/create", new { name = " " }), (Path + "/create", new { name = Text(501) }), (Path + "/create", """{"name":"a\u0000"}"""), (Path + "/create", new { name = "a", tags = "[1]" }), (Path + "/create", new { name = "a", tags = "{" }), (Path + "/create", new { name = "a", tags = """{"k":{}}""" }),
            (Path + "/create", new { name = "a", experiment_ids = new[] { Text(65) } }), (Path + "/search", new { filter_string = "owner = 'x'" }), (Path + "/search", new { max_results = 0 }), (Path + "/search", new { max_results = 1001 }), (Path + "/search", new { page_token = "x" }), (Path + "/search", new { order_by = new[] { "digest; DROP TABLE spans" } }),
            ($"{Path}/{id}/records", new { }), ($"{Path}/{id}/records", new { records = "no json" }), ($"{Path}/{id}/records", new { records = "{}" }), ($"{Path}/{id}/records", new { records = "[1]" }), ($"{Path}/{id}/records", new { records = "[{}]" }), ($"{Path}/{id}/records", new { records = """[{"inputs":[1]}]""" }),
            ($"{Path}/{id}/records", new { records = """[{"inputs":{"a":1}},{"inputs":{"a":NaN}}]""" }), ($"{Path}/{id}/records", new { records = """[{"inputs":{"a":1}},{"inputs":{"a":"\ud800"}}]""" }), ($"{Path}/{id}/records", new { records = """[{"inputs":{"a":"\u0000"}}]""" }), ($"{Path}/{id}/records", new { records = """[{"inputs":{"a":1},"expectations":7}]""" }),
            ($"{Path}/{id}/records", new { records = """[{"inputs":{"a":1},"source":{"source_type":"GOD"}}]""" }), ($"{Path}/{id}/records", new { records = """[{"inputs":{"a":""" + new string('[', 40) + new string(']', 40) + "}}]" }), ($"{Path}/{id}/records", new { records = JsonSerializer.Serialize(new[] { new { inputs = new { a = Text(1_000_001) } } }) }),
            ($"{Path}/{id}/records", new { records = JsonSerializer.Serialize(Enumerable.Range(0, 1001).Select(i => new { inputs = new { i } })) }),
        ];
        foreach (var (path, body) in bad)
            await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", path, body);
        await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "GET", $"{Path}/{id}/records?page_token=WyIxIl0");
        foreach (var unknown in new[] { "d-" + Guid.NewGuid().ToString("N"), "..%2F..%2Fetc", "1", Text(2000) })
            await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "GET", $"{Path}/{unknown}");
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "POST", Path + "/create", new { name = "a", experiment_ids = new[] { Guid.NewGuid().ToString("N") } });
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "POST", $"{Path}/d-{Guid.NewGuid():N}/records", new { records = """[{"inputs":{"a":1}}]""" });
        Assert.Empty(await RecordsAsync(client, id));
        using var viewer = new MlflowClient(await product.ProgramAsync(Roles.Viewer), "/api/3.0");
        await viewer.RefusedAsync(HttpStatusCode.Forbidden, "PERMISSION_DENIED", "POST", Path + "/create", new { name = "a" });
    }
}
