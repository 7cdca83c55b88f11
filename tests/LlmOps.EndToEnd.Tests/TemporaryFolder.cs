namespace LlmOps.EndToEnd.Tests;

public sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("llmops-e2e-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
