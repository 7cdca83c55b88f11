using System.Net.Http.Json;
using System.Text.Json;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Retrieval;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;

namespace LlmOps.Web.Tests.Api.OpenAI;

[CollectionDefinition(Name)]
public sealed class OpenAICollection : ICollectionFixture<OpenAIDeployments>
{
    public const string Name = "openai";
}

/// <summary>Models with random weights behind OpenAI's addresses: a chat, one over documents, one whose template knows tools, one that nobody approved, and an encoder.</summary>
public sealed class OpenAIDeployments(WebProduct product) : IAsyncLifetime
{
    public const string Model = "oai-lm", Chat = "oai-chat", Docs = "oai-docs", Tools = "oai-tools", Draft = "oai-draft", Encoder = "oai-encoder";
    public const int Context = 512;

    private const string ToolTemplate =
        "{{ bos_token }}{% if tools %}Functions: {{ tools | tojson }}{{ '\n' }}{% endif %}{% for message in messages %}{{ message.role }}: {{ message.content }}" +
        "{% for call in message.tool_calls %}{{ call.function.name }}({{ call.function.arguments | tojson }}){% endfor %}{{ '\n' }}{% endfor %}assistant: ";

    public static readonly Actor Engineer = Actor.WithRoles(Guid.CreateVersion7(), "oai-maker", [Roles.Engineer]);
    public static readonly Actor Release = Actor.WithRoles(Guid.CreateVersion7(), "oai-releaser", [Roles.ReleaseManager]);

    public WebProduct Product { get; } = product;

    /// <summary>The exported folder of the chat's model, to compute with it without the server.</summary>
    public string Folder { get; private set; } = "";
    public string EncoderFolder { get; private set; } = "";
    public HttpClient Client { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        var root = Directory.CreateTempSubdirectory("llmops-openai-").FullName;
        try
        {
            await PrepareAsync(name => Path.Combine(root, name));
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private async Task PrepareAsync(Func<string, string> at)
    {
        TinyModels.WriteLlama(at("hf"), context: Context);
        new DecoderExport().Run(at("hf"), at("onnx"));
        HybridIndex.Build([.. MarkdownChunker.Split("leases.md", "# Leases\n\nA worker renews its lease with a heartbeat. A fencing token grows with every claim."),
            .. MarkdownChunker.Split("aliases.md", "# Aliases\n\nAn alias moves only when a second person approves it.")], at("hf"), at("index"));
        TinyModels.WriteLlama(at("tools"), seed: 2, context: Context);
        await File.WriteAllTextAsync(Path.Combine(at("tools"), "chat_template.jinja"), ToolTemplate);
        new DecoderExport().Run(at("tools"), at("tools-onnx"));
        TinyBert.Write(at("bert"));
        new EncoderExport().Run(at("bert"), at("bert-onnx"));

        await PublishAsync(Tools, at("tools"), at("tools-onnx"), approve: true);
        await PublishAsync(Draft, at("hf"), at("onnx"), approve: false);
        await PublishAsync(Encoder, at("bert"), at("bert-onnx"), approve: false);
        var version = await PublishAsync(Model, at("hf"), at("onnx"), approve: true);
        var artifacts = Product.Get<ArtifactStore>();
        var index = await artifacts.PutFolderAsync(at("index"));
        var build = await Product.WriteAsync(db => db.AddIndexAsync(new("oai-docs", index, 2, 2, 64, version.Id, "{}", null), Engineer, DateTimeOffset.UtcNow, default));
        await Product.Get<Deploy>().DeployAsync(Chat, DeploymentKind.Chat, $"{Model}/1", "fp32", null, Release);
        await Product.Get<Deploy>().DeployAsync(Docs, DeploymentKind.Rag, $"{Model}/1", "fp32", build.Id, Release);
        await Product.Get<Deploy>().DeployAsync(Tools, DeploymentKind.Chat, $"{Tools}/1", "fp32", null, Release);
        Folder = await artifacts.FolderAsync((await artifacts.PutFolderAsync(at("onnx"))).Digest);
        EncoderFolder = await artifacts.FolderAsync((await artifacts.PutFolderAsync(at("bert-onnx"))).Digest);
        Client = await Product.ProgramAsync(Roles.Engineer);
    }

    private async Task<ModelVersion> PublishAsync(string name, string checkpointFolder, string onnxFolder, bool approve)
    {
        var artifacts = Product.Get<ArtifactStore>();
        var (checkpoint, onnx) = (await artifacts.PutFolderAsync(checkpointFolder), await artifacts.PutFolderAsync(onnxFolder));
        var version = await Product.WriteAsync(async db =>
        {
            var added = await db.AddVersionAsync(new(name, "fine-tune", checkpoint, 1000, "for a test", "", "MIT", "{}", null, null, null), Engineer, DateTimeOffset.UtcNow, default);
            await db.PutVariantAsync(new(added.Id, "fp32", "fp32", onnx, null, "{}", null), Engineer, DateTimeOffset.UtcNow, default);
            return added;
        });
        if (approve)
            await Product.Get<DecideApproval>().ApproveAsync((await Product.Get<RequestPromotion>().RequestAsync($"{name}/1", "fp32", "production", Engineer)).Id, "fine", Release);
        return version;
    }

    public Task<HttpResponseMessage> PostAsync(string path, object body) => Client.PostAsJsonAsync(path, body);

    public async Task<JsonElement> AnswerAsync(string path, object body)
    {
        using var answer = await PostAsync(path, body);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonDocument.Parse(text).RootElement;
    }

    /// <summary>The events of a stream, each parsed; the last one has to be [DONE].</summary>
    public async Task<JsonElement[]> StreamAsync(string path, object body)
    {
        using var answer = await PostAsync(path, body);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, text);
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType?.MediaType);
        var events = text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.All(events, e => Assert.StartsWith("data: ", e, StringComparison.Ordinal));
        Assert.Equal("data: [DONE]", events[^1]);
        return [.. events[..^1].Select(e => JsonDocument.Parse(e["data: ".Length..]).RootElement)];
    }

    public ValueTask DisposeAsync()
    {
        Client?.Dispose();
        return ValueTask.CompletedTask;
    }
}
