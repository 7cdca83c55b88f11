using Microsoft.Extensions.Configuration;

namespace LlmOps.Lifecycle.Data;

/// <summary>The folder that holds everything the product keeps on disk: database, artifacts, work, keys.</summary>
public static class DataFolder
{
    /// <summary>Data:Folder, or "llmops" in the user's local application data.</summary>
    public static string Of(IConfiguration configuration)
    {
        var folder = configuration["Data:Folder"];
        if (string.IsNullOrWhiteSpace(folder))
            folder = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.Create), "llmops");
        folder = Path.GetFullPath(folder);
        Directory.CreateDirectory(folder);
        return folder;
    }
}
