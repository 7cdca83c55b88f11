using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using LlmOps.TestKit;

namespace LlmOps.EndToEnd.Tests;

/// <summary>The commands that talk to a server: signed in once, used as a CI job would use them.</summary>
public sealed partial class ServerCommandTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private const string Rows = "prompt,chosen,rejected\n\"Define *dog*.\",\"an animal, domestic\",\"a \"\"tree\"\"\"\nDefine *cup*.,a vessel,a bird\nDefine *sun*.,a star,a stone\n";

    [Fact]
    public async Task SignedInCommands_ReachTheServer_AndSayWhatIsWrong()
    {
        using var data = new TemporaryFolder();
        var (checkpoint, csv, config) = (Path.Combine(data.Path, "tiny"), Path.Combine(data.Path, "rows.csv"), Path.Combine(data.Path, "config"));
        TinyModels.WriteLlama(checkpoint);
        await File.WriteAllTextAsync(csv, Rows, TestContext.Current.CancellationToken);
        var folder = Path.Combine(data.Path, "data");
        var settings = new Dictionary<string, string> { ["Data__Folder"] = folder, ["Worker__Embedded"] = "false", ["Logging__LogLevel__Default"] = "Warning" };
        await RunAsync(config, 0, null, "import-model", checkpoint, "--name", "tiny", "--data-folder", folder);
        await using var web = await WebProcess.StartAsync(settings);
        await web.SetUpAdministratorAsync();
        var server = web.Address.ToString().TrimEnd('/');

        Assert.Contains($"run 'llmops login {server}'", await RunAsync(config, 1, null, "whoami", "--server", server), StringComparison.Ordinal);
        Assert.Contains("UNAUTHENTICATED", await RunAsync(config, 1, "llmops_0000", "login", server), StringComparison.Ordinal);
        using var made = await web.Client.PostAsJsonAsync("/api/v1/tokens", new { name = "ci", scopes = new[] { "Read", "WriteDatasets", "RunPipelines", "Deploy" } }, TestContext.Current.CancellationToken);
        var token = (await made.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken)).GetProperty("secret").GetString()!;
        Assert.Contains($"Signed in to {server} as admin.", await RunAsync(config, 0, token, "login", server), StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(config, "sign-ins.json")));

        // From here on nothing names the server or the token.
        Assert.Contains("may: Read, WriteDatasets, RunPipelines, Deploy", await RunAsync(config, 0, null, "whoami"), StringComparison.Ordinal);
        Assert.Contains("No deployments yet", await RunAsync(config, 0, null, "deployments", "list"), StringComparison.Ordinal);
        Assert.Equal(0, Json(await RunAsync(config, 0, null, "deployments", "list", "--json")).GetProperty("total").GetInt32());
        Assert.Contains("tiny/1", await RunAsync(config, 1, null, "deploy", "chat", "tiny/1:fp32"), StringComparison.Ordinal);
        Assert.Contains("names no variant", await RunAsync(config, 1, null, "deploy", "chat", "tiny/1"), StringComparison.Ordinal);
        Assert.Contains("does not exist", await RunAsync(config, 1, null, "watch", "nothing"), StringComparison.Ordinal);
        Assert.Contains("lists the pipelines", await RunAsync(config, 0, null, "pipelines", "--help"), StringComparison.OrdinalIgnoreCase);

        // Readable unless asked otherwise; then one JSON value, and what is refused on the standard error in the API's words.
        Assert.Contains("No traces.", await RunAsync(config, 0, null, "traces", "list"), StringComparison.Ordinal);
        Assert.Equal(0, Json(await RunAsync(config, 0, null, "--json", "traces", "list")).GetProperty("total").GetInt32());
        Assert.Contains("No conversations.", await RunAsync(config, 0, null, "traces", "sessions"), StringComparison.Ordinal);
        var schedule = await ScheduleAsync(web, config);
        Assert.All(["name nightly ", "cron 0 3 * * * ", "time zone UTC "], fact => Assert.Contains(fact, schedule, StringComparison.Ordinal));
        Assert.DoesNotContain('{', schedule);
        foreach (string[] refused in new[] { ["runs", "show", Guid.Empty.ToString(), "--json"], ["drift", "nothing", "--json"], new[] { "check", "nothing.yaml", "--json" } })
        {
            var (output, error) = await RefusedAsync(config, refused);
            Assert.Equal("", output);
            Assert.Equal(refused[0] == "check" ? "INVALID_PARAMETER_VALUE" : "RESOURCE_DOES_NOT_EXIST", Json(error).GetProperty("error_code").GetString());
            Assert.NotEmpty(Json(error).GetProperty("message").GetString()!);
        }
        Assert.Equal("INVALID_PARAMETER_VALUE", Json((await RefusedAsync(config, "runs", "show", "--json")).Error).GetProperty("error_code").GetString());
        Assert.Contains("--json", await RunAsync(config, 0, null, "[suggest:18]", "llmops runs show --"), StringComparison.Ordinal);

        using var upload = new StringContent(Rows, Encoding.UTF8, "text/csv");
        using var imported = await web.Client.PostAsync("/api/v1/datasets/pairs/versions?kind=Preference", upload, TestContext.Current.CancellationToken);
        Assert.True(imported.IsSuccessStatusCode, await imported.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        var counts = await imported.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        Assert.Equal(3, counts.GetProperty("train_rows").GetInt32() + counts.GetProperty("held_out_rows").GetInt32());
        var split = counts.GetProperty("train_rows").GetInt32() > 0 ? "train" : "held-out";
        var (there, here) = (Path.Combine(data.Path, "there.csv"), Path.Combine(data.Path, "here.csv"));
        await RunAsync(config, 0, null, "export", "pairs/1", "--split", split, "-o", there, "--server", server);
        await RunAsync(config, 0, null, "export", "pairs/1", "--split", split, "-o", here, "--data-folder", folder);
        Assert.Equal(await File.ReadAllTextAsync(there, TestContext.Current.CancellationToken), await File.ReadAllTextAsync(here, TestContext.Current.CancellationToken));
        Assert.StartsWith("prompt,chosen,rejected", (await File.ReadAllTextAsync(there, TestContext.Current.CancellationToken)).Replace("headword,", "", StringComparison.Ordinal), StringComparison.Ordinal);

        await RunAsync(config, 0, null, "export-model", "tiny/1", "-o", Path.Combine(data.Path, "back"), "--server", server);
        Assert.Equal(await File.ReadAllBytesAsync(Path.Combine(checkpoint, "model.safetensors"), TestContext.Current.CancellationToken), await File.ReadAllBytesAsync(Path.Combine(data.Path, "back", "model.safetensors"), TestContext.Current.CancellationToken));

        var doctor = Json(await RunAsync(config, 0, null, "doctor", "--json", "--data-folder", folder)).EnumerateArray().ToDictionary(f => f.GetProperty("name").GetString()!, f => f.GetProperty("health").GetString());
        Assert.Equal(["Good", "Good", "Good"], new[] { doctor["server"], doctor["token"], doctor["database"] });
        Assert.Contains("deployments", await RunAsync(config, 0, null, "[suggest:10]", "llmops dep"), StringComparison.Ordinal);
        await RunAsync(config, 0, null, "logout");
        Assert.Contains("Nobody is signed in", await RunAsync(config, 1, null, "whoami", "--server", server), StringComparison.Ordinal);
    }

    private static async Task<string> ScheduleAsync(WebProcess web, string config)
    {
        using var yaml = new StringContent("name: nights\nstages:\n  - name: import\n    kind: import-data\n    with:\n      source: data\n      name: facts\n", Encoding.UTF8, "application/yaml");
        using var saved = await web.Client.PostAsync("/api/v1/pipelines?folder=tiny", yaml, TestContext.Current.CancellationToken);
        Assert.True(saved.IsSuccessStatusCode, await saved.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        return await RunAsync(config, 0, null, "schedules", "create", "nightly", "--pipeline", "nights", "--cron", "0 3 * * *");
    }

    /// <summary>What came on the standard output and on the standard error of a command that fails.</summary>
    private static async Task<(string Output, string Error)> RefusedAsync(string config, params string[] arguments)
    {
        await using var process = ProductProcess.Start(Repository.Built("LlmOps.Cli", "llmops.dll"), arguments, new Dictionary<string, string> { ["LLMOPS_CONFIG"] = config, ["LLMOPS_URL"] = "", ["LLMOPS_TOKEN"] = "" });
        Assert.True(await process.ExitCodeAsync(Patience) == 1, $"llmops {string.Join(' ', arguments)}: {process.Output}");
        return (process.Errors.Length == process.Output.Length ? "" : process.Output, process.Errors);
    }

    private static JsonElement Json(string text) => JsonDocument.Parse(text).RootElement;

    /// <returns>What it printed, with every run of white space as one space: a terminal breaks lines where it likes.</returns>
    private static async Task<string> RunAsync(string config, int expected, string? input, params string[] arguments)
    {
        await using var process = ProductProcess.Start(Repository.Built("LlmOps.Cli", "llmops.dll"), arguments, new Dictionary<string, string> { ["LLMOPS_CONFIG"] = config, ["LLMOPS_URL"] = "", ["LLMOPS_TOKEN"] = "" }, input);
        Assert.True(await process.ExitCodeAsync(Patience) == expected, $"llmops {string.Join(' ', arguments)}: {process.Output}");
        return Space().Replace(process.Output, " ");
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
