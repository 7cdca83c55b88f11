using LlmOps.Engines.Onnx;
using LlmOps.Engines.Retrieval;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;

namespace LlmOps.Web.Tests.Api;

/// <summary>A tiny model with random weights, really exported, approved and deployed, as a chat and over two documents.</summary>
public sealed class ServedDeployments(WebProduct product) : IAsyncLifetime
{
    public const string Model = "served-lm";
    public const string Chat = "served-chat";
    public const string Docs = "served-docs";

    public static readonly Actor Engineer = Actor.WithRoles(Guid.CreateVersion7(), "maker", [Roles.Engineer]);
    public static readonly Actor Release = Actor.WithRoles(Guid.CreateVersion7(), "releaser", [Roles.ReleaseManager]);

    public WebProduct Product { get; } = product;

    public async ValueTask InitializeAsync()
    {
        var folder = Directory.CreateTempSubdirectory("llmops-served-").FullName;
        try
        {
            TinyModels.WriteLlama(Path.Combine(folder, "hf"));
            new DecoderExport().Run(Path.Combine(folder, "hf"), Path.Combine(folder, "onnx"));
            HybridIndex.Build([.. MarkdownChunker.Split("leases.md", "# Leases\n\nA worker renews its lease with a heartbeat. A fencing token grows with every claim."),
                .. MarkdownChunker.Split("aliases.md", "# Aliases\n\nAn alias moves only when a second person approves it.")], Path.Combine(folder, "hf"), Path.Combine(folder, "index"));
            var artifacts = Product.Get<ArtifactStore>();
            var (checkpoint, onnx, index) = (await artifacts.PutFolderAsync(Path.Combine(folder, "hf")), await artifacts.PutFolderAsync(Path.Combine(folder, "onnx")), await artifacts.PutFolderAsync(Path.Combine(folder, "index")));
            var now = DateTimeOffset.UtcNow;
            var build = await Product.WriteAsync(async db =>
            {
                var version = await db.AddVersionAsync(new(Model, "fine-tune", checkpoint, 1000, "for a test", "", "MIT", "{}", null, null, null), Engineer, now, default);
                await db.PutVariantAsync(new(version.Id, "fp32", "fp32", onnx, null, "{}", null), Engineer, now, default);
                return await db.AddIndexAsync(new("served-docs", index, 2, 2, 64, version.Id, "{}", null), Engineer, now, default);
            });
            var request = await Product.Get<RequestPromotion>().RequestAsync($"{Model}/1", "fp32", "production", Engineer);
            await Product.Get<DecideApproval>().ApproveAsync(request.Id, "fine", Release);
            await Product.Get<Deploy>().DeployAsync(Chat, DeploymentKind.Chat, $"{Model}/1", "fp32", null, Release);
            await Product.Get<Deploy>().DeployAsync(Docs, DeploymentKind.Rag, $"{Model}/1", "fp32", build.Id, Release);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
