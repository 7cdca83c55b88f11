namespace LlmOps.Engines.Planning;

/// <summary>What limits a rate.</summary>
public enum Bound
{
    /// <summary>Reading weights and cache.</summary>
    Memory,
    /// <summary>Arithmetic.</summary>
    Compute,
}

/// <summary>What a model would need and do in one precision.</summary>
/// <param name="Precision">Name of the <see cref="WeightPrecision"/>.</param>
/// <param name="WeightBytes">Graph weights on disk.</param>
/// <param name="ResidentBytes">Weights in memory, with what the kernels copy or widen.</param>
/// <param name="KeyValueBytes">Keys and values of all users at the end of their context.</param>
/// <param name="KeyValueBytesPerUser">The same for one user.</param>
/// <param name="WorkspaceBytes">Activations, attention scores and logits of the largest step.</param>
/// <param name="RuntimeBytes">The process without a model.</param>
/// <param name="MemoryBytes">Memory of the machine.</param>
/// <param name="MaxUsers">Users that fit at this context; 0 when not even one does.</param>
/// <param name="DecodeTokensPerSecond">New tokens of all users together, at the end of their context.</param>
/// <param name="DecodeTokensPerSecondPerUser">The same for each.</param>
/// <param name="DecodeBound">What limits decoding.</param>
/// <param name="SaturationUsers">Users from which on arithmetic limits and a larger batch brings nothing more; null when reading caches keeps the limit.</param>
/// <param name="PrefillTokensPerSecond">Prompt tokens read per second, all users together.</param>
/// <param name="PrefillBound">What limits reading a prompt.</param>
/// <param name="FirstTokenSeconds">From a request to its first token when nobody else waits.</param>
/// <param name="LastFirstTokenSeconds">The same for the last one when all users ask at once.</param>
public sealed record PrecisionPlan(string Precision, long WeightBytes, long ResidentBytes, long KeyValueBytes, long KeyValueBytesPerUser, long WorkspaceBytes, long RuntimeBytes, long MemoryBytes,
    int MaxUsers, double DecodeTokensPerSecond, double DecodeTokensPerSecondPerUser, Bound DecodeBound, int? SaturationUsers, double PrefillTokensPerSecond, Bound PrefillBound,
    double FirstTokenSeconds, double LastFirstTokenSeconds)
{
    /// <summary>Everything together.</summary>
    public long TotalBytes => ResidentBytes + KeyValueBytes + WorkspaceBytes + RuntimeBytes;
    /// <summary>Memory that can be counted on: 95 %. What fits to the last byte does not run, because arenas grow in steps.</summary>
    public long UsableBytes => Usable(MemoryBytes);
    /// <summary>Whether it goes into that.</summary>
    public bool Fits => TotalBytes <= UsableBytes;
    /// <summary>What is left of it; negative when it does not fit.</summary>
    public long FreeBytes => UsableBytes - TotalBytes;

    internal static long Usable(long memory) => memory / 20 * 19;
    /// <summary>What to know about these numbers.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
