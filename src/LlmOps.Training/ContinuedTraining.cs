using LlmOps.Engines.Checkpoints;
using LlmOps.Training.Adapters;
using LlmOps.Training.Batching;

namespace LlmOps.Training;

/// <summary>Options of trainings that go on from a model folder with rows of text, beside those of every training.</summary>
public abstract record ContinuedTraining : LoopOptions
{
    /// <summary>Shape of a low-rank adapter that is trained in the place of all weights and merged at the end; null trains all weights. Its seed is <see cref="LoopOptions.Seed"/>.</summary>
    public AdapterOptions? Adapter { get; init; }

    /// <summary>Longest example in tokens, prompt included; what is longer is cut at its end. 0 takes the model's limit.</summary>
    public int MaxLength { get; init; }

    /// <summary>What to do with rows that are among the held-out ones.</summary>
    public LeakagePolicy Leakage { get; init; }

    /// <summary>Tokens that an example may have with this model.</summary>
    internal int LimitFor(ModelConfig config) => MaxLength == 0 ? config.MaxPositionEmbeddings : Math.Min(MaxLength, config.MaxPositionEmbeddings);

    /// <summary>Notes about held-out rows, which count for messages only.</summary>
    private protected static RowNotes HeldOut(int limit) => new(limit) { Of = "held-out " };

    /// <summary>The examples of each step, by number.</summary>
    /// <param name="lengths">Tokens of each example.</param>
    internal List<int[]> Batches(IReadOnlyList<int> lengths) =>
        [.. Enumerable.Range(0, Epochs).SelectMany(epoch => LengthBuckets.Epoch(lengths, BatchSize, Seed, epoch)).Take(MaxSteps > 0 ? MaxSteps : int.MaxValue)];

    /// <summary>Refuses what cannot be.</summary>
    /// <exception cref="ArgumentException">An option is out of range; the message names it.</exception>
    protected void ValidateContinued()
    {
        Adapter?.Validate();
        Check.AtLeast(MaxLength, 0);
        ValidateLoop();
    }
}
