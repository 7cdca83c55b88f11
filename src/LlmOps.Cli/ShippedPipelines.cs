using LlmOps.Lifecycle;

namespace LlmOps.Cli;

internal static class ShippedPipelines
{
    public static string Read(string name)
    {
        var root = Path.Combine(AppContext.BaseDirectory, "pipelines");
        var file = Path.Combine(root, Path.GetFileName(name), $"{Path.GetFileName(name)}.yaml");
        if (File.Exists(file))
            return File.ReadAllText(file);
        var names = Directory.Exists(root) ? Directory.GetDirectories(root).Select(d => Path.GetFileName(d)!).Where(d => File.Exists(Path.Combine(root, d, d + ".yaml"))) : [];
        throw LlmOpsException.NotFound($"Shipped pipeline (there are: {string.Join(", ", names.Order())})", name);
    }
}
