namespace LlmOps.Engines.Planning;

/// <summary>What a training is to process and how, in the numbers that decide about its length and its memory.</summary>
public sealed record TrainingWork
{
    /// <summary>Examples to train on: texts, pairs of prompt and completion, preference pairs.</summary>
    public required int Examples { get; init; }
    /// <summary>Mean tokens of an example, all its sequences together.</summary>
    public required double TokensPerExample { get; init; }
    /// <summary>Longest sequence, in tokens.</summary>
    public required int LongestSequence { get; init; }
    /// <summary>Mean share of an example's tokens that a score over the vocabulary is computed for: 1 for texts, less where a prompt is only read.</summary>
    public double ScoredShare { get; init; } = 1;
    /// <summary>Sequences of an example: 2 for a preference pair.</summary>
    public int SequencesPerExample { get; init; } = 1;
    /// <summary>Tokens of a row when several texts share rows and a batch counts rows; 0 when a batch counts examples.</summary>
    public int RowLength { get; init; }
    /// <summary>Examples, or rows, of an optimizer step.</summary>
    public required int BatchSize { get; init; }
    /// <summary>Examples, or rows, of a forward pass; 0 for the trainer's own choice.</summary>
    public int MicroBatch { get; init; }
    /// <summary>Passes over the examples.</summary>
    public required int Epochs { get; init; }
    /// <summary>Upper limit of steps; 0 for none.</summary>
    public int MaxSteps { get; init; }
    /// <summary>Rank of a low-rank adapter on every linear layer; 0 trains all weights.</summary>
    public int AdapterRank { get; init; }
    /// <summary>Whether the adapter has lengths of its own beside its direction (DoRA).</summary>
    public bool Dora { get; init; }
    /// <summary>Tokens that a row of several examples may have, when a batch counts examples and they are packed into rows; 0 when each has a row to itself.</summary>
    public int PackedLength { get; init; }
    /// <summary>Whether factors and results of products with weights are rounded to 16 bits.</summary>
    public bool HalfProducts { get; init; }
    /// <summary>Whether only each layer's input is kept for the backward pass.</summary>
    public bool Recompute { get; init; }
    /// <summary>Whether the target is spread over the vocabulary (label smoothing): the scores are then computed whole.</summary>
    public bool Smoothed { get; init; }
    /// <summary>Update rule by its name in a pipeline: adamw, adam, sgd, rmsprop, adafactor or lion.</summary>
    public string Optimizer { get; init; } = "adamw";
    /// <summary>Whether sgd or rmsprop keep a momentum.</summary>
    public bool Momentum { get; init; }
    /// <summary>Whether an average of the weights is kept.</summary>
    public bool Average { get; init; }

    /// <summary>Says what makes this work impossible, or null.</summary>
    public string? FindProblem()
    {
        foreach (var (name, value, least) in new (string, double, double)[]
        {
            ("examples", Examples, 1), ("tokens of an example", TokensPerExample, 1), ("the longest sequence", LongestSequence, 2), ("sequences of an example", SequencesPerExample, 1),
            ("the row's length", RowLength, 0), ("the packed row's length", PackedLength, 0), ("the batch", BatchSize, 1), ("the micro-batch", MicroBatch, 0), ("epochs", Epochs, 1), ("the limit of steps", MaxSteps, 0), ("the adapter's rank", AdapterRank, 0),
        })
        {
            if (!(value >= least) || value > 1e12)
                return $"{name}: {value} is below {least} or too large.";
        }
        return ScoredShare is > 0 and <= 1 ? null : $"the scored share is {ScoredShare}; it has to be above 0 and at most 1.";
    }
}
