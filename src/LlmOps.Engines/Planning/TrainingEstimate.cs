namespace LlmOps.Engines.Planning;

/// <summary>One part of a training's memory.</summary>
/// <param name="Name">What it holds.</param>
/// <param name="Bytes">How much.</param>
public sealed record MemoryPart(string Name, long Bytes);

/// <summary>
/// How long a training is and how much memory it takes, by counting what the trainer does on a processor. Held against trainings of
/// 26 million weights with 2,048 tokens at once, each beyond what a training of a tiny model takes, counted and measured in GB: 1.95 and 2.19; 2.33 and 2.60 with
/// 16-bit products; 0.86 and 1.29 with recomputation; 0.92 and 1.15 with both. What is missing is memory that was freed and stays with the process.
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
    // Above so many scores over the vocabulary a float32 head computes them in chunks of so many, and again in the backward pass.
    private const long ManyScores = 1 << 24, ChunkScores = 1 << 22;
    // Attention over longer documents is libtorch's.
    private const int LongestDocument = 512;
    private const int Float = sizeof(float), Half = 2;

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
        var trained = work.AdapterRank == 0 ? model.Parameters : AdapterWeights(model, work.AdapterRank) + (work.Dora ? model.LayerOutputs : 0);
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
            new("activations", ActivationBytes(model, work, tokens)),
            new("16-bit copies", work.HalfProducts ? Half * HalfValues(model, work, tokens, scored) : 0),
            new("scores over the vocabulary", Float * ScoreValues(model, work, scored)),
        ];
        return new(stepsPerEpoch, steps, epochs, (long)Math.Round(epochs * epochTokens), model.Parameters, trained, tokens, [.. parts.Where(p => p.Bytes > 0)]);
    }

    /// <summary>Weights of an adapter of rank r on every linear layer: <c>r · Σ (in + out)</c> (Hu et al. 2021, LoRA).</summary>
    public static long AdapterWeights(ModelShape m, int rank) => rank * LinearEdges(m);

    // In and out of query, key, value, output, gate (where there is one), up and down of every layer.
    private static long LinearEdges(ModelShape m) => m.Layers * (2 * (m.HiddenSize + m.QueryWidth) + 2 * (m.HiddenSize + m.KeyValueWidth) + (m.GatedMlp ? 3L : 2L) * (m.HiddenSize + m.IntermediateSize));

    /// <summary>
    /// Tokens of a forward pass, padded to the longest sequence. Packed examples share rows of one, two or four times the longest one, as many as the texts
    /// of a step fill; the trainer takes shorter rows where these have little padding, so this is the most.
    /// </summary>
    private static int TokensAtOnce(ModelShape m, TrainingWork w)
    {
        var most = Math.Clamp(MaxScores / m.VocabSize, 1, CachedTokens);
        var length = RowTokens(w);
        var perItem = (long)length * w.SequencesPerExample;
        var items = w.PackedLength > 0 ? (long)Math.Ceiling(w.BatchSize * w.TokensPerExample / length) : w.BatchSize;
        items = w.MicroBatch > 0 ? Math.Min(w.MicroBatch, items) : Math.Clamp(most / perItem, 1, items);
        return (int)Math.Min(int.MaxValue, items * perItem);
    }

    private static int RowTokens(TrainingWork w) => w.RowLength > 0 ? w.RowLength : w.LongestSequence * (4L * w.LongestSequence <= w.PackedLength ? 4 : 2L * w.LongestSequence <= w.PackedLength ? 2 : 1);

    /// <summary>
    /// Scores, their log-softmax and its gradient are there at once; smoothing adds two gradients of its own, a soft cap its three steps. In chunks it is two of
    /// them, the gradient of what the head read, and where the head is trained its own gradient and what a chunk adds to it.
    /// </summary>
    private static long ScoreValues(ModelShape m, TrainingWork w, long scored)
    {
        var all = scored * m.VocabSize;
        if (w.HalfProducts || w.Smoothed || m.CappedScores || all <= ManyScores)
            return (3 + (w.Smoothed ? 2 : 0) + (m.CappedScores ? 3 : 0)) * all;
        var rows = Math.Min(scored, Math.Max(1, ChunkScores / m.VocabSize));
        return 2 * rows * m.VocabSize + scored * m.HiddenSize + (w.AdapterRank == 0 ? 2 * m.EmbeddingWeights : 0);
    }

    /// <summary>Both factors and the result of each product with a weight, beside their 32-bit forms: per token the inputs and outputs of the linear layers, and the weights once.</summary>
    private static long HalfValues(ModelShape m, TrainingWork w, int tokens, long scored) =>
        (tokens * LinearEdges(m) + m.LayerWeights) / (w.Recompute ? m.Layers : 1) + scored * (m.HiddenSize + (long)m.VocabSize) + m.EmbeddingWeights;

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
    /// Every value between the operations of a step lives until the step is over. Forward, for each token of each layer: two norms, attention's and the MLP's
    /// output and the two sums (6·H); query, key and value, query and key turned, attention's answer (3·q and 3·kv); gate, up and their product (3·I; 2·I without a
    /// gate). Backward, what the trainer's own kernels take and give: at both norms (4·H), the turns and attention (4·q and 4·kv) and the gate (3·I). Long documents
    /// go through libtorch's attention instead, with a copy of its answer, grouped keys and values widened to all heads, and in shared rows a mask of the row's length
    /// squared. An adapter adds its narrow side, its output, that scaled and the sum; with DoRA the product with its lengths, and four matrices as large as the weight
    /// to find them. After the last layer one more norm (3·H). With recomputation it is one layer's, and of each layer its input and two gradients.
    /// </summary>
    private static long ActivationBytes(ModelShape m, TrainingWork w, int tokens)
    {
        var isLong = w.LongestSequence > LongestDocument;
        var attention = isLong ? m.QueryWidth + (m.Heads == m.KeyValueHeads ? 0 : 2 * m.QueryWidth) : 2 * m.QueryWidth + 2 * m.KeyValueWidth;
        var adapter = w.AdapterRank == 0 ? 0 : w.AdapterRank * (m.GatedMlp ? 7L : 6L) + (w.Dora ? 4 : 3) * m.LayerOutputs / m.Layers;
        var layer = 10L * m.HiddenSize + 5 * m.QueryWidth + 5 * m.KeyValueWidth + attention + (m.GatedMlp ? 6L : 2L) * m.IntermediateSize + adapter;
        var kept = w.Recompute ? layer + 3L * m.Layers * m.HiddenSize : m.Layers * layer;
        var found = w.AdapterRank > 0 && w.Dora ? 4 * m.LayerWeights / (w.Recompute ? m.Layers : 1) : 0;
        var mask = isLong && (w.RowLength > 0 || w.PackedLength > 0) ? (long)tokens * RowTokens(w) : 0;
        return Float * (tokens * (kept + 3L * m.HiddenSize) + found + mask);
    }
}
