using LlmOps.Lifecycle;
using Microsoft.Extensions.Configuration;

namespace LlmOps.Worker;

/// <summary>Where files named in a pipeline may lie: under the pipelines root, or the product's own documentation. Nowhere else.</summary>
public sealed record PipelineFolders(string Root, string Docs)
{
    public const string ProductDocs = "product-docs";

    public static PipelineFolders From(IConfiguration configuration) => new(
        Path.GetFullPath(configuration["Pipelines:Root"] ?? Path.Combine(AppContext.BaseDirectory, "pipelines")),
        Path.GetFullPath(configuration["Pipelines:Docs"] ?? Path.Combine(AppContext.BaseDirectory, "docs")));

    public string Resolve(string pipelineFolder, string relative)
    {
        if (relative == ProductDocs)
            return Existing(Docs, relative);
        var path = Path.GetFullPath(Path.Combine(Root, pipelineFolder, relative));
        if (!path.StartsWith(Root + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            throw LlmOpsException.Invalid($"'{relative}' leads out of the pipelines folder. Put the files beside the pipeline.");
        return Existing(path, relative);
    }

    private static string Existing(string path, string named) => Directory.Exists(path)
        ? path
        : throw LlmOpsException.Invalid($"The folder '{named}' does not exist beside the pipeline. Check 'source' in the pipeline.");
}
