using System.Threading.Channels;

namespace LlmOps.Engines.Inference.Batching;

/// <summary>One generation on its way through the batch.</summary>
internal sealed class BatchRequest(int[] prompt, SamplingOptions options, string client, CancellationToken ct)
{
    public int[] Prompt { get; } = prompt;
    public SamplingOptions Options { get; } = options;
    public string Client { get; } = client;
    public CancellationToken Cancelled { get; } = ct;
    public Channel<GeneratedToken> Tokens { get; } = Channel.CreateUnbounded<GeneratedToken>(new() { SingleReader = true, SingleWriter = true });

    /// <summary>The loop will not look at the request any more.</summary>
    public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Rows that it needs at once.</summary>
    public int Rows => Options.Continuations;

    /// <summary>Prompt tokens that are computed, those found in the cache included.</summary>
    public int Done { get; set; }

    /// <summary>How many of them were found.</summary>
    public int Reused { get; set; }

    public IReadOnlyList<Continuation> Answers { get; set; } = [];
    public bool IsOver => Answers.Count > 0 && Answers.All(a => a.IsFinished);
}

/// <summary>A row of the batch: one continuation of one request, and the tokens whose keys and values it holds.</summary>
internal sealed record BatchRow(BatchRequest Request, Continuation Answer, List<int> Tokens);

/// <summary>One step of a batch, to see how it was used.</summary>
/// <param name="Step">Counts from 0.</param>
/// <param name="AtMs">When it began, since the model was loaded.</param>
/// <param name="DurationMs">How long it took.</param>
/// <param name="Rows">Sequences that each got a token in it.</param>
/// <param name="PromptTokens">Tokens of a prompt that were computed between this step's rows and those before.</param>
/// <param name="Waiting">Requests that waited when it ended.</param>
public readonly record struct BatchStep(long Step, double AtMs, double DurationMs, int Rows, int PromptTokens, int Waiting)
{
    /// <summary>Sequences whose prompt was complete in this step; their first token came from it.</summary>
    public int Joined { get; init; }

    /// <summary>Sequences that ended in this step or were given up before it.</summary>
    public int Left { get; init; }
}

/// <summary>How requests share a model.</summary>
/// <param name="Rows">Most sequences that grow together. A request for more answers than this gets its rows when it is alone.</param>
/// <param name="PromptChunk">Tokens of a new prompt that are computed between two steps of those under way: fewer disturb these less, and the new one waits longer.</param>
public sealed record BatchSettings(int Rows = 8, int PromptChunk = 128)
{
    /// <summary>
    /// Whether rows grow together although the graph quantizes activations for a step as a whole, so that neighbours change each other's rounding (dynamic int8). Otherwise
    /// such a graph takes its rows in turn, each prompt whole and anew: every answer is what it would be alone, and the total is no faster than one.
    /// </summary>
    public bool TogetherWhateverIsRounded { get; init; }

    /// <summary>Steps of <see cref="BatchedGenerator.Steps"/> that are remembered.</summary>
    public int RememberedSteps { get; init; } = 4096;
}
