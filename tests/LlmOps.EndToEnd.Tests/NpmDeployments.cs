using System.Net.Http.Json;
using System.Text.Json.Nodes;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Retrieval;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;

namespace LlmOps.EndToEnd.Tests;

/// <summary>The real server with a chat, one whose template knows tools, and one over documents, for the clients that npm has.</summary>
public sealed class NpmDeployments : IAsyncLifetime
{
    private const string ToolTemplate =
        "{{ bos_token }}{% if tools %}Functions: {{ tools | tojson }}{{ '\n' }}{% endif %}{% for message in messages %}{{ message.role }}: {{ message.content }}" +
        "{% for call in message.tool_calls %}{{ call.function.name }}({{ call.function.arguments | tojson }}){% endfor %}{{ '\n' }}{% endfor %}assistant: ";

    private TestProduct product = null!;

    public WebProcess Web { get; private set; } = null!;

    /// <summary>Of a token that may chat and nothing else.</summary>
    public string Secret { get; private set; } = "";

    /// <summary>Where the server listens, without a slash at the end.</summary>
    public string Address => Web.Address.ToString().TrimEnd('/');

    public async ValueTask InitializeAsync()
    {
        product = await TestProduct.CreateAsync(DatabaseProvider.Sqlite);
        using (var models = new TemporaryFolder())
            await DeployAsync(name => Path.Combine(models.Path, name));
        Web = await WebProcess.StartAsync(new Dictionary<string, string>(product.ProcessSettings) { ["Worker__Embedded"] = "false", ["Logging__LogLevel__Default"] = "Warning", ["Serving__Limits__Concurrent"] = "4" });
        await Web.SetUpAdministratorAsync();
        using var made = await Web.Client.PostAsJsonAsync("/api/v1/tokens", new { name = "npm", scopes = new[] { "Chat" } });
        Secret = (string)(await made.Content.ReadFromJsonAsync<JsonNode>())!["secret"]!;
    }

    private async Task DeployAsync(Func<string, string> at)
    {
        TinyModels.WriteLlama(at("chat"), context: 512);
        TinyModels.WriteLlama(at("tools"), seed: 2, context: 512);
        await File.WriteAllTextAsync(Path.Combine(at("tools"), "chat_template.jinja"), ToolTemplate);
        HybridIndex.Build([.. MarkdownChunker.Split("leases.md", "# Leases\n\nA worker renews its lease with a heartbeat. A fencing token grows with every claim."),
            .. MarkdownChunker.Split("aliases.md", "# Aliases\n\nAn alias moves only when a second person approves it.")], at("chat"), at("index"));
        var chat = await ApproveAsync("npm-lm", at("chat"), at("chat-onnx"));
        await ApproveAsync("npm-tools-lm", at("tools"), at("tools-onnx"));
        var index = await product.Artifacts.PutFolderAsync(at("index"));
        Guid build;
        await using (var db = product.Open())
        {
            build = (await db.AddIndexAsync(new("npm-docs", index, 2, 2, 64, chat.Id, "{}", null), product.Alice, product.Clock.GetUtcNow(), default)).Id;
            await db.SaveChangesAsync();
        }
        var deploy = product.Get<Deploy>();
        await deploy.DeployAsync("npm-chat", DeploymentKind.Chat, "npm-lm/1", "fp32", null, product.Rosa);
        await deploy.DeployAsync("npm-tools", DeploymentKind.Chat, "npm-tools-lm/1", "fp32", null, product.Rosa);
        await deploy.DeployAsync("npm-docs", DeploymentKind.Rag, "npm-lm/1", "fp32", build, product.Rosa);
    }

    private async Task<ModelVersion> ApproveAsync(string name, string checkpoint, string onnx)
    {
        new DecoderExport().Run(checkpoint, onnx);
        var (weights, graph) = (await product.Artifacts.PutFolderAsync(checkpoint), await product.Artifacts.PutFolderAsync(onnx));
        ModelVersion version;
        await using (var db = product.Open())
        {
            version = await db.AddVersionAsync(new(name, "fine-tune", weights, 1000, "for a test", "", "MIT", "{}", null, null, null), product.Alice, product.Clock.GetUtcNow(), default);
            await db.PutVariantAsync(new(version.Id, "fp32", "fp32", graph, null, "{}", null), product.Alice, product.Clock.GetUtcNow(), default);
            await db.SaveChangesAsync();
        }
        var request = await product.Get<RequestPromotion>().RequestAsync($"{name}/1", "fp32", "production", product.Alice);
        await product.Get<DecideApproval>().ApproveAsync(request.Id, "fine", product.Rosa);
        return version;
    }

    public async ValueTask DisposeAsync()
    {
        if (Web is not null)
            await Web.DisposeAsync();
        await product.DisposeAsync();
    }
}
