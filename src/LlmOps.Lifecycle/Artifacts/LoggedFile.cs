namespace LlmOps.Lifecycle.Artifacts;

/// <summary>A file that a client put under a path of its own. The path is a row; the bytes lie in the content-addressed store.</summary>
public sealed class LoggedFile
{
    /// <summary>The folder that belongs to one run or logged model: listing looks at no others.</summary>
    public required string Root { get; init; }
    /// <summary>Relative to the root.</summary>
    public required string Path { get; init; }
    public required string Digest { get; set; }
    public long SizeBytes { get; set; }
    public DateTimeOffset At { get; set; }
}
