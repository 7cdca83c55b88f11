using System.Net.Http.Json;
using System.Text.Json;

namespace LlmOps.EndToEnd.Tests;

/// <summary>PostgreSQL, RabbitMQ, a web process without a worker, and a worker process of its own.</summary>
public sealed class ServerProfileTests(Services services) : IClassFixture<Services>
{
    private static readonly string[] FirstStages = ["import-data", "train-tokenizer", "pretrain"];

    [Fact]
    public async Task Stages_RunInAnotherProcess_OverPostgreSqlAndRabbitMq()
    {
        Services.Require(Services.Present);
        using var data = new TemporaryFolder();
        var settings = new Dictionary<string, string>
        {
            ["Database__Provider"] = "Postgres", ["ConnectionStrings__Database"] = await services.NewDatabaseAsync(), ["Bus__Transport"] = "RabbitMq", ["Bus__Uri"] = services.RabbitMq,
            ["Data__Folder"] = data.Path, ["Worker__Embedded"] = "false",
            // Without hints a job would wait this long: that the test is quicker shows that RabbitMQ carries them.
            ["Worker__PollMs"] = "120000",
        };
        await using var web = await WebProcess.StartAsync(settings);
        await using var worker = ProductProcess.Start(Repository.Built("LlmOps.Worker", "LlmOps.Worker.dll"), [], settings);
        await web.SetUpAdministratorAsync();
        await worker.UntilAsync(async () => (await GetAsync(web, "/api/v1/workers")).ToString().Contains("heartbeat", StringComparison.Ordinal), TimeSpan.FromSeconds(60));

        var yaml = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "pipelines", "tiny", "tiny.yaml"), TestContext.Current.CancellationToken);
        using var defined = await web.Client.PutAsync("/api/v1/pipelines/tiny", new StringContent(yaml, null, "application/yaml"), TestContext.Current.CancellationToken);
        Assert.True(defined.IsSuccessStatusCode, await defined.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        using var started = await web.Client.PostAsync("/api/v1/pipelines/tiny/runs", null, TestContext.Current.CancellationToken);
        Assert.True(started.IsSuccessStatusCode, await started.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        var run = (await started.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken)).GetProperty("id").GetString();

        JsonElement answer = default;
        await worker.UntilAsync(async () =>
        {
            answer = await GetAsync(web, $"/api/v1/pipeline-runs/{run}");
            return FirstStages.All(name => StageState(answer, name) is "Succeeded" or "Failed");
        }, TimeSpan.FromMinutes(2));

        Assert.All(FirstStages, name => Assert.Equal("Succeeded", StageState(answer, name)));
        var version = await GetAsync(web, "/api/v1/models/tiny-lm/versions/1");
        Assert.Equal("pretrain", version.GetProperty("stage").GetString());
    }

    private static string? StageState(JsonElement run, string name) =>
        run.GetProperty("stages").EnumerateArray().Where(s => s.GetProperty("name").GetString() == name).Select(s => s.GetProperty("state").GetString()).Single();

    private static async Task<JsonElement> GetAsync(WebProcess web, string path) => await web.Client.GetFromJsonAsync<JsonElement>(path);
}
