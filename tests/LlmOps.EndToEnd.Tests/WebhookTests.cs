using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.TestKit;

namespace LlmOps.EndToEnd.Tests;

/// <summary>Webhooks of the real program: it is killed between what happens and the message about it, and a library as published verifies what arrives.</summary>
public sealed class WebhookTests
{
    private const int Models = 20;

    private static async Task<JsonNode> PostAsync(WebProcess web, string path, object body)
    {
        using var answer = await web.Client.PostAsJsonAsync(path, body);
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
        return (await answer.Content.ReadFromJsonAsync<JsonNode>())!;
    }

    private static string NameIn(WebhookReceiver.Call call) => (string)JsonNode.Parse(call.Text)!["data"]!["name"]!;

    [Fact]
    public async Task KilledServer_TellsEverything_AndStandardWebhooksVerifiesIt()
    {
        using var data = new TemporaryFolder();
        using var receiver = new WebhookReceiver { Status = 500 };
        var settings = new Dictionary<string, string> { ["Data__Folder"] = data.Path, ["Worker__Embedded"] = "false", ["Logging__LogLevel__Default"] = "Warning", ["Webhooks__AllowedHosts"] = "localhost" };
        var secrets = new List<string>();
        await using (var web = await WebProcess.StartAsync(settings))
        {
            await web.SetUpAdministratorAsync();
            var made = await PostAsync(web, "/api/v1/webhooks", new { name = "ci", url = receiver.Address, events = new[] { "registered_model.*" } });
            secrets.Add((string)made["secret"]!);
            secrets.Add((string)(await PostAsync(web, $"/api/v1/webhooks/{made["id"]}/secret", new { overlap_seconds = 3600 }))["secret"]!);
            for (var i = 0; i < Models; i++)
                await PostAsync(web, "/api/2.0/mlflow/registered-models/create", new { name = $"model {i}" });
            await web.Process.KillAsync();
        }
        receiver.Status = 204;
        var before = receiver.Calls.Count;
        await using (var web = await WebProcess.StartAsync(settings))
            // One that was being sent when the process died is free again after two minutes.
            await web.Process.UntilAsync(() => Task.FromResult(receiver.Calls.Skip(before).Select(NameIn).Distinct().Count() == Models), TimeSpan.FromMinutes(3));

        var calls = receiver.Calls.ToArray();
        Assert.Equal(Enumerable.Range(0, Models).Select(i => $"model {i}").Order(StringComparer.Ordinal), calls.Skip(before).Select(NameIn).Distinct().Order(StringComparer.Ordinal));
        // A repeat has the id of what it repeats, so a receiver that keeps ids handles each event once.
        Assert.Equal(Models, calls.Select(c => c.Headers["webhook-id"]).Distinct().Count());
        var file = Path.Combine(data.Path, "calls.json");
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(new { secrets, calls = calls.Select(c => new { headers = c.Headers.ToDictionary(h => h.Key.ToLowerInvariant(), h => h.Value), body = c.Text }) }), TestContext.Current.CancellationToken);
        Assert.Equal($"verified {2 * calls.Length}", (await NpmClient.RunAsync("standardwebhooks", "verify.mjs", file)).Trim());
    }
}
