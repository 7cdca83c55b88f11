namespace LlmOps.TestKit;

/// <summary>The checkout that the tests were built from.</summary>
public static class RepositoryRoot
{
    public static string Folder { get; } = Find();

    public static string Path(params string[] parts) => System.IO.Path.Combine([Folder, .. parts]);

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "LlmOps.sln")))
                return folder.FullName;
        throw new InvalidOperationException($"No LlmOps.sln above {AppContext.BaseDirectory}: run the tests from a checkout.");
    }
}
