namespace LlmOps.Lifecycle.Tracing;

/// <summary>Tokens of one request to a model, counted as the GenAI conventions count: the cached ones are a part of the input, reasoning is a part of the output.</summary>
public sealed record TokenUse(long? Input, long? Output, long? CacheRead = null, long? CacheWrite = null)
{
    /// <summary>The parts are more than the whole: the sender counts cached tokens beside the input.</summary>
    public bool Disagree => (CacheRead ?? 0) + (CacheWrite ?? 0) > (Input ?? 0);

    /// <summary>Null when nothing was counted or there is no price. Never below zero.</summary>
    public double? CostUsd(ModelPrice? price)
    {
        if (price is null || (Input is null && Output is null))
            return null;
        var (read, write) = (CacheRead ?? 0, CacheWrite ?? 0);
        var fresh = Math.Max(0, (Input ?? 0) - read - write);
        return (fresh * price.InputUsd + read * (price.CacheReadUsd ?? price.InputUsd) + write * (price.CacheWriteUsd ?? price.InputUsd) + (Output ?? 0) * price.OutputUsd) / 1e6;
    }
}
