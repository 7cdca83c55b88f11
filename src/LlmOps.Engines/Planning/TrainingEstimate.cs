namespace LlmOps.Engines.Planning;

/// <summary>One part of a training's memory.</summary>
/// <param name="Name">What it holds.</param>
/// <param name="Bytes">How much.</param>
public sealed record MemoryPart(string Name, long Bytes);

/// <summary>
/// How long a training is and how much memory it takes, by counting what the trainer does in 32-bit floats on a processor; the peak is where a forward pass has
/// ended and the backward pass begins. Held against two trainings of 26 million weights: 1.77 GB counted and 1.84 GB measured for 2,048 tokens at once, 0.87 and
/// 0.93 GB for 512, each beyond what a training of a tiny model takes.
/// </summary>
/// <param name="StepsPerEpoch">Optimizer steps of one pass over the examples. Rows that several texts share are counted as if they were full, so there may be a few more.</param>
/// <param name="Steps">Optimizer steps in all.</param>
/// <param name="Epochs">Passes that these steps are.</param>
/// <param name="Tokens">Tokens that go through the model in training, padding not counted.</param>
/// <param name="Parameters">Weights of the model.</param>
/// <param name="TrainedParameters">Weights that change.</param>
/// <param name="MicroBatchTokens">Tokens of one forward pass, padding included.</param>
/// <param name="Memory">What the memory is needed for; zero parts are left out.</param>
public sealed record TrainingEstimate(int StepsPerEpoch, int Steps, double Epochs, long Tokens, long Parameters, long TrainedParameters, int MicroBatchTokens, IReadOnlyList<MemoryPart> Memory)
{
    // The trainer's own choice of a forward pass: tokens that stay near the caches, and scores that stay below a quarter of a GiB.
    private const int CachedTokens = 2048, MaxScores = 64_000_000;
    private const int Float = sizeof(float);

    /// <summary>All parts together.</summary>
    public long MemoryBytes => Memory.Sum(p => p.Bytes);

    /// <summary>Seconds of pure training at a speed that was measured.</summary>
    /// <param name="tokensPerSecond">Tokens, padding not counted.</param>
    public double Seconds(double tokensPerSecond) => tokensPerSecond > 0 ? Tokens / tokensPerSecond : throw new ArgumentOutOfRangeException(nameof(tokensPerSecond), "A speed is positive.");

    /// <summary>Counts.</summary>
    /// <exception cref="ArgumentException">Shape or work are impossible; the message says which number.</exception>
    public static TrainingEstimate Of(ModelShape model, TrainingWork work)
    {
        if ((model.FindProblem() ?? work.FindProblem()) is { } problem)
            throw new ArgumentException($"Nothing to estimate: {problem}");
        var epochTokens = work.Examples * work.TokensPerExample;
        var items = work.RowLength > 0 ? Math.Ceiling(epochTokens / work.RowLength) : work.Examples;
        var stepsPerEpoch = (int)Math.Min(int.MaxValue, Math.Ceiling(items / work.BatchSize));
        var all = (long)stepsPerEpoch * work.Epochs;
        var steps = (int)Math.Min(work.MaxSteps > 0 ? Math.Min(all, work.MaxSteps) : all, int.MaxValue);
        var epochs = (double)steps / stepsPerEpoch;
        var trained = work.AdapterRank == 0 ? model.Parameters : AdapterWeights(model, work.AdapterRank);
        var tokens = TokensAtOnce(model, work);
        var scored = (long)Math.Ceiling(tokens * work.ScoredShare);
        MemoryPart[] parts =
        [
            new("weights", Float * (model.Parameters + (work.AdapterRank == 0 ? 0 : trained))),
            new("gradients", Float * trained),
            new("optimizer", Float * OptimizerValues(model, work, trained)),
            new("average of the weights", work.Average ? Float * trained : 0),
            // A checkpoint is written from a copy of what is trained, the finished model from a copy of all of it; the heap gives neither back.
            new("copies while saving", Float * (model.Parameters + trained)),
            new("activations", Float * ActivationValues(model, work, tokens)),
            // Scores, their log-softmax and its gradient are there at once.
            new("scores over the vocabulary", 3L * Float * scored * model.VocabSize),
        ];
        return new(stepsPerEpoch, steps, epochs, (long)Math.Round(epochs * epochTokens), model.Parameters, trained, tokens, [.. parts.Where(p => p.Bytes > 0)]);
    }

    /// <summary>Weights of an adapter of rank r on every linear layer: <c>r · Σ (in + out)</c> (Hu et al. 2021, LoRA).</summary>
    public static long AdapterWeights(ModelShape m, int rank) => rank * LinearEdges(m);

    // In and out of query, key, value, output, gate (where there is one), up and down of every layer.
    private static long LinearEdges(ModelShape m) => m.Layers * (2 * (m.HiddenSize + m.QueryWidth) + 2 * (m.HiddenSize + m.KeyValueWidth) + (m.GatedMlp ? 3L : 2L) * (m.HiddenSize + m.IntermediateSize));

    /// <summary>Tokens of a forward pass, padded to the longest sequence.</summary>
    private static int TokensAtOnce(ModelShape m, TrainingWork w)
    {
        var most = Math.Clamp(MaxScores / m.VocabSize, 1, CachedTokens);
        var length = w.RowLength > 0 ? w.RowLength : w.LongestSequence;
        var perItem = (long)length * w.SequencesPerExample;
        var items = w.MicroBatch > 0 ? Math.Min(w.MicroBatch, w.BatchSize) : Math.Clamp(most / perItem, 1, w.BatchSize);
        return (int)Math.Min(int.MaxValue, items * perItem);
    }

    /// <summary>
    /// Values that the update rule keeps beside the weights. Two for each with Adam (Kingma and Ba 2015), one with Lion (Chen et al. 2023); Adafactor
    /// (Shazeer and Stern 2018) keeps one for each row and each column of a matrix.
    /// </summary>
    private static long OptimizerValues(ModelShape m, TrainingWork w, long trained) => w.Optimizer switch
    {
        "adamw" or "adam" => 2 * trained,
        "lion" => trained,
        "sgd" => w.Momentum ? trained : 0,
        "rmsprop" => w.Momentum ? 2 * trained : trained,
        "adafactor" when w.AdapterRank > 0 => LinearEdges(m) + 2L * w.AdapterRank * m.Layers * (m.GatedMlp ? 7 : 6),
        "adafactor" => LinearEdges(m) + m.OtherWeights + (m.TiedEmbeddings ? 1 : 2) * (m.VocabSize + (long)m.HiddenSize),
        _ => throw new ArgumentException($"'{w.Optimizer}' is no update rule."),
    };

    /// <summary>
    /// Every value between the operations of a forward pass lives until its backward pass is over. For each token of each layer: three of each norm, the two sums of
    /// the residual stream and what is added (10·H); query and key before, during and after their rotation (5.5·q and 5.5·kv), value, attention's answer and its
    /// copy; gate, its activation, up and their product (4·I; 2·I without a gate). Grouped keys and values are widened to all heads once more. An adapter adds its
    /// narrow side, its output, that scaled and the sum. After the last layer one more norm (3·H). A row that several texts share has a mask of its length squared.
    /// </summary>
    private static long ActivationValues(ModelShape m, TrainingWork w, int tokens)
    {
        var grouped = m.Heads == m.KeyValueHeads ? 0 : 2 * m.QueryWidth;
        var adapter = w.AdapterRank == 0 ? 0 : w.AdapterRank * (m.GatedMlp ? 7L : 6L) + 3 * m.LayerOutputs / m.Layers;
        var layer = 10L * m.HiddenSize + (15 * m.QueryWidth + 13 * m.KeyValueWidth) / 2 + grouped + (m.GatedMlp ? 4L : 2L) * m.IntermediateSize + adapter;
        return tokens * (m.Layers * layer + 3L * m.HiddenSize) + (w.RowLength > 0 ? (long)tokens * w.RowLength : 0);
    }
}
