namespace LlmOps.Engines.Planning;

/// <summary>What is asked of a model.</summary>
/// <param name="Users">Sequences that are generated at the same time, in one batch.</param>
/// <param name="Context">Length of each sequence at its end, prompt included, in tokens.</param>
/// <param name="Prompt">Prompt of each sequence, in tokens.</param>
/// <param name="KeyValueBytes">Bytes of a cached value: 4 (fp32) or 2 (fp16); 0 follows the activations: 2 on a graphics processor and 4 on a processor.</param>
/// <param name="MinTokensPerSecond">New tokens each user has to get per second; the recommendation looks for it. People read about 5.</param>
public sealed record Workload(int Users = 1, int Context = 2048, int Prompt = 512, int KeyValueBytes = 0, double MinTokensPerSecond = 10)
{
    /// <summary>Says what makes this workload impossible, or null.</summary>
    public string? FindProblem(ModelShape model) => this switch
    {
        { Users: < 1 or > 100_000 } => $"{Users} users: plan for 1 to 100000.",
        { Context: < 1 } => $"a context of {Context} tokens: it has to be positive.",
        _ when Context > model.MaxContext => $"a context of {Context} tokens: {model.Name} has room for {model.MaxContext}.",
        _ when Prompt < 1 || Prompt > Context => $"a prompt of {Prompt} tokens: it has to be 1 to {Context}, the context.",
        { KeyValueBytes: not (0 or 2 or 4) } => $"{KeyValueBytes} bytes for a cached value: 2 (fp16), 4 (fp32), or 0 to follow the activations.",
        _ when !(MinTokensPerSecond >= 0) => $"{MinTokensPerSecond} tokens/s for each user: it cannot be negative.",
        _ => null,
    };
}
