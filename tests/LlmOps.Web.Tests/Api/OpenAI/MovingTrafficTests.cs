using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;

namespace LlmOps.Web.Tests.Api.OpenAI;

/// <summary>A deployment's traffic as its operators move it over HTTP and its callers see it.</summary>
[Collection(OpenAICollection.Name)]
public sealed class MovingTrafficTests(OpenAIDeployments models)
{
    private const string Broken = "oai-broken";

    private static object Revision(string name, string version = OpenAIDeployments.Model + "/1") => new { name, kind = "Chat", version, variant = "fp32" };

    private Task<HttpClient> OperatorAsync() => models.Product.ProgramAsync(Roles.ReleaseManager);

    private static async Task<JsonElement> SendAsync(HttpClient client, HttpMethod method, string path, object? body = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
        using var answer = await client.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {text}");
        return text.Length == 0 ? default : JsonDocument.Parse(text).RootElement;
    }

    private static Task<JsonElement> DeployAsync(HttpClient client, string name, string version = OpenAIDeployments.Model + "/1") => SendAsync(client, HttpMethod.Post, "/api/v1/deployments", Revision(name, version));

    /// <summary>The status, and which revision says that it answered.</summary>
    private async Task<(HttpStatusCode Status, string? Revision)> AskAsync(string model, string? user = null, string text = "define a word")
    {
        using var answer = await models.PostAsync("/v1/chat/completions", new { model, user, messages = new[] { new { role = "user", content = text } }, max_tokens = 2, temperature = 0 });
        return (answer.StatusCode, answer.Headers.TryGetValues("x-llmops-revision", out var named) ? named.Single() : null);
    }

    private static async Task<string> SharesAsync(HttpClient client, string name) => string.Join(' ', (await SendAsync(client, HttpMethod.Get, $"/api/v1/deployments/{name}")).GetProperty("revisions").EnumerateArray()
        .OrderBy(r => r.GetProperty("number").GetInt32()).Select(r => $"{r.GetProperty("number")}:{r.GetProperty("traffic_percent")}"));

    [Fact]
    public async Task ASplit_SendsEachUserToOneRevision_AsTheirHashSays_AndARollbackTakesAllBackAtOnce()
    {
        const string Name = "oai-split";
        using var client = await OperatorAsync();
        await DeployAsync(client, Name);
        Assert.Equal(2, (await DeployAsync(client, Name)).GetProperty("number").GetInt32());
        Assert.Equal("1:0 2:100", await SharesAsync(client, Name));
        await SendAsync(client, HttpMethod.Put, $"/api/v1/deployments/{Name}/traffic", new { shares = new Dictionary<string, int> { ["1"] = 60, ["2"] = 40 } });

        // The first four bytes of SHA-256 over the deployment and the user, modulo 100: the first 60 belong to revision 1.
        static string Expected(string user) => BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"{Name}\n{user}"))) % 100 < 60 ? $"{Name}#1" : $"{Name}#2";
        string[] users = [.. Enumerable.Range(0, 15).Select(i => $"user-{i}")];
        Assert.Equal(2, users.Select(Expected).Distinct().Count());
        foreach (var user in users.Concat(users))
            Assert.Equal((HttpStatusCode.OK, Expected(user)), await AskAsync(Name, user));

        Assert.Equal(1, (await SendAsync(client, HttpMethod.Post, $"/api/v1/deployments/{Name}/rollback")).GetProperty("number").GetInt32());
        foreach (var user in users)
            Assert.Equal((HttpStatusCode.OK, $"{Name}#1"), await AskAsync(Name, user));
        Assert.Equal("1:100 2:0", await SharesAsync(client, Name));
    }

    [Fact]
    public async Task AShadow_IsAskedTheSame_AndSeenByNobody()
    {
        const string Name = "oai-shadowed", Question = "what the shadow means";
        using var client = await OperatorAsync();
        await DeployAsync(client, Name);
        await DeployAsync(client, Name, OpenAIDeployments.Tools + "/1");
        await SendAsync(client, HttpMethod.Put, $"/api/v1/deployments/{Name}/shadow", new { revision = 1, percent = 100 });
        Assert.Equal((HttpStatusCode.OK, $"{Name}#2"), await AskAsync(Name, text: Question));
        var traces = await UntilAsync(client, $"/api/v1/traces?q={Uri.EscapeDataString(Question)}", t => t.GetProperty("rows").GetArrayLength() == 2);
        Assert.Equal([("chat", $"{Name}#2"), ("shadow", $"{Name}#1")], traces.GetProperty("rows").EnumerateArray().Select(t => (t.GetProperty("kind").GetString()!, t.GetProperty("revision").GetString()!)).Order());
        await SendAsync(client, HttpMethod.Put, $"/api/v1/deployments/{Name}/shadow", new { revision = 1, percent = 0 });
        // A shadow counts neither as a request nor as the canary's evidence.
        Assert.Equal(1, (await SendAsync(client, HttpMethod.Get, $"/api/v1/deployments/{Name}")).GetProperty("row").GetProperty("requests").GetInt32());
    }

    /// <summary>The users are fixed, and so is who gets which revision: the candidate's first look comes with its tenth request.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ACanary_RollsItselfBack_WhenItsAnswersFail_AndNotWhenItIsEqual(bool worse)
    {
        var name = worse ? "oai-canary-worse" : "oai-canary-equal";
        using var client = await OperatorAsync();
        if (worse)
            await PublishBrokenAsync();
        await DeployAsync(client, name);
        // Latency is left out: how fast this machine is at this moment is no property of a revision.
        var policy = new { requests = 40, looks = 4, alpha = 0.05, error_tolerance = 0.01, latency_tolerance = 10, feedback_tolerance = 0.05 };
        await SendAsync(client, HttpMethod.Post, $"/api/v1/deployments/{name}/canary", new { version = $"{(worse ? Broken : OpenAIDeployments.Model)}/1", variant = "fp32", percent = 50, policy });
        Assert.Equal("1:50 2:50", await SharesAsync(client, name));

        var failed = 0;
        for (var i = 0; i < 100; i++)
        {
            failed += (await AskAsync(name, $"user-{i}")).Status == HttpStatusCode.OK ? 0 : 1;
            await models.Product.Get<WatchCanaries>().WatchAsync();
        }
        var canary = (await SendAsync(client, HttpMethod.Get, $"/api/v1/deployments/{name}")).GetProperty("canary");
        if (worse)
        {
            Assert.Equal("RolledBack", canary.GetProperty("state").GetString());
            Assert.Contains("errors 100.0 % against 0.0 %", canary.GetProperty("reason").GetString(), StringComparison.Ordinal);
            Assert.Equal("1:100 2:0", await SharesAsync(client, name));
            // Nobody failed after the look that saw it.
            Assert.Equal(10 * canary.GetProperty("look").GetInt32(), failed);
            Assert.InRange(canary.GetProperty("look").GetInt32(), 1, 3);
        }
        else
        {
            Assert.Contains(canary.GetProperty("state").GetString(), new[] { "Passed", "Undecided" });
            Assert.Equal(("1:50 2:50", 0, 4), (await SharesAsync(client, name), failed, canary.GetProperty("look").GetInt32()));
        }
    }

    [Fact]
    public async Task RevisionsComeAndGo_AndNoRequestFails()
    {
        const string Name = "oai-draining";
        using var client = await OperatorAsync();
        await DeployAsync(client, Name);
        using var stop = new CancellationTokenSource();
        async Task<List<string>> KeepAskingAsync(int caller)
        {
            var seen = new List<string>();
            while (!stop.IsCancellationRequested)
            {
                var chunks = await models.StreamAsync("/v1/chat/completions", new { model = Name, messages = new[] { new { role = "user", content = $"caller {caller}" } }, max_tokens = 30, min_tokens = 30, stream = true });
                Assert.Equal("length", chunks[^1].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
                seen.Add(chunks[0].GetProperty("system_fingerprint").GetString()!);
            }
            return seen;
        }
        var callers = Enumerable.Range(0, 6).Select(KeepAskingAsync).ToList();
        for (var round = 0; round < 3; round++)
        {
            await DeployAsync(client, Name, OpenAIDeployments.Tools + "/1");
            await AskAsync(Name);
            await SendAsync(client, HttpMethod.Post, $"/api/v1/deployments/{Name}/rollback");
            await AskAsync(Name);
        }
        await stop.CancelAsync();
        var fingerprints = (await Task.WhenAll(callers)).SelectMany(f => f).Distinct();
        Assert.Equal(2, fingerprints.Count());
    }

    /// <summary>A version whose graph is cut off, approved all the same.</summary>
    private async Task PublishBrokenAsync()
    {
        var folder = Directory.CreateTempSubdirectory("llmops-broken-").FullName;
        foreach (var file in Directory.GetFiles(models.Folder))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        await File.WriteAllBytesAsync(Path.Combine(folder, "model.onnx"), (await File.ReadAllBytesAsync(Path.Combine(folder, "model.onnx")))[..200]);
        var stored = await models.Product.Get<ArtifactStore>().PutFolderAsync(folder);
        Directory.Delete(folder, recursive: true);
        await models.Product.WriteAsync(async db =>
        {
            var version = await db.AddVersionAsync(new(Broken, "fine-tune", stored, 1000, "for a test", "", "MIT", "{}", null, null, null), OpenAIDeployments.Engineer, DateTimeOffset.UtcNow, default);
            await db.PutVariantAsync(new(version.Id, "fp32", "fp32", stored, null, "{}", null), OpenAIDeployments.Engineer, DateTimeOffset.UtcNow, default);
            return version;
        });
        var request = await models.Product.Get<RequestPromotion>().RequestAsync($"{Broken}/1", "fp32", "production", OpenAIDeployments.Engineer);
        await models.Product.Get<DecideApproval>().ApproveAsync(request.Id, "fine", OpenAIDeployments.Release);
    }

    private static Task<JsonElement> UntilAsync(HttpClient client, string path, Func<JsonElement, bool> done) => Eventually.ReadAsync(() => SendAsync(client, HttpMethod.Get, path), done, what: path);
}
