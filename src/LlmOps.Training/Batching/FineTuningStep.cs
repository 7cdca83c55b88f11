using LlmOps.Training.Architectures;
using LlmOps.Training.Objectives;
using TorchSharp;

namespace LlmOps.Training.Batching;

/// <summary>
/// One step of fine-tuning: the gradients of the mean loss per labelled token over all examples of the step. Neither the cut into parts nor packing changes them
/// but by rounding: the divisor is the number of labelled tokens of the whole step, and packed examples do not see each other.
/// </summary>
/// <param name="Model">The model; its parameters or adapter collect the gradients.</param>
/// <param name="PartTokens">Tokens that go through the model at once, padding included; a part holds at least one row.</param>
internal sealed record FineTuningStep(CausalLanguageModel Model, int PartTokens)
{
    /// <summary>Examples, or packed rows, that go through the model at once at most.</summary>
    public int PartExamples { get; init; } = int.MaxValue;

    /// <summary>Whether several examples share a row.</summary>
    public bool Packs { get; init; }

    /// <summary>Longest row that packing may make.</summary>
    public int MaxLength { get; init; } = int.MaxValue;

    /// <summary>Label smoothing, ε.</summary>
    public double LabelSmoothing { get; init; }

    /// <summary>Strength of the noise on embeddings; 0 for none.</summary>
    public double NeftuneAlpha { get; init; }

    /// <summary>Seed of the noise.</summary>
    public int Seed { get; init; }

    /// <summary>Adds the gradients of one step.</summary>
    /// <exception cref="TrainingFailedException">No token of the step is labelled.</exception>
    public Accumulated Accumulate(int step, IReadOnlyList<TokenSequence> examples, CancellationToken ct) => Run(step, examples, train: true, ct);

    /// <summary>Mean loss per labelled token without noise, smoothing or gradients, with the mean entropy of the predictions and the share of tokens predicted.</summary>
    public Accumulated Measure(IReadOnlyList<TokenSequence> examples, CancellationToken ct) => Run(0, examples, train: false, ct);

    private Accumulated Run(int step, IReadOnlyList<TokenSequence> examples, bool train, CancellationToken ct)
    {
        double total = examples.Sum(s => (long)s.Scored), loss = 0, nll = 0, entropy = 0, correct = 0;
        if (total == 0) throw new TrainingFailedException($"No token of step {step + 1} is labelled: there is nothing to learn in its {examples.Count} examples.");
        List<int> lengths = [.. examples.Select(s => s.Tokens.Length)];
        long places = 0;
        foreach (var (rows, length) in Parts(lengths))
        {
            ct.ThrowIfCancellationRequested();
            using var scope = torch.NewDisposeScope();
            places += (long)rows.Count * length;
            if (!train)
            {
                TokenPredictions measured = TokenPredictions.Of(Model, Batch(examples, rows, length));
                (loss, nll, entropy, correct) = (loss + measured.Nll / total, nll + measured.Nll / total, entropy + measured.Entropy / total, correct + measured.Correct / total);
                continue;
            }
            var (sum, plain) = Losses(step, examples, rows, length);
            torch.Tensor partLoss = sum / total;
            Model.Backward(partLoss);
            loss += partLoss.item<double>();
            nll += plain.item<double>() / total;
        }
        int tokens = lengths.Sum();
        var metrics = new Dictionary<string, double> { ["perplexity"] = Math.Exp(nll), ["completion_tokens"] = total, ["padding_share"] = 1 - tokens / (double)places };
        if (!train) (metrics["entropy"], metrics["mean_token_accuracy"]) = (entropy, correct);
        return new Accumulated(loss, tokens, metrics);
    }

    private TokenBatch Batch(IReadOnlyList<TokenSequence> examples, List<int[]> rows, int length) => rows.TrueForAll(r => r.Length == 1)
        ? TokenBatch.OfSequences([.. rows.Select(r => examples[r[0]])], Model.Config.PadTokenId)
        : TokenBatch.OfPacked([.. rows.Select(r => r.Select(i => examples[i]).ToArray())], length, Model.Config.PadTokenId);

    private (torch.Tensor Loss, torch.Tensor Nll) Losses(int step, IReadOnlyList<TokenSequence> examples, List<int[]> rows, int length)
    {
        TokenBatch batch = Batch(examples, rows, length);
        if (NeftuneAlpha == 0) return SmoothedCrossEntropy.Sum(Model, batch, LabelSmoothing);
        int hidden = Model.Config.HiddenSize;
        float[] noise = EmbeddingNoise.Of([.. rows.Select(r => r.Select(i => (examples[i].Tokens.Length, i)).ToArray())], batch.Length, hidden, NeftuneAlpha, Seed, step);
        Model.OnEmbeddings = x => x + Model.Place(noise).view((long)batch.Rows * batch.Length, hidden);
        try
        {
            return SmoothedCrossEntropy.Sum(Model, batch, LabelSmoothing);
        }
        finally
        {
            Model.OnEmbeddings = null;
        }
    }

    /// <summary>Places, padding included, of a step with examples of these lengths.</summary>
    public long Places(IReadOnlyList<int> lengths) => Parts(lengths).Sum(p => (long)p.Rows.Count * p.Length);

    // Rows of indices, in parts that go through the model together.
    private IEnumerable<(List<int[]> Rows, int Length)> Parts(IReadOnlyList<int> lengths)
    {
        if (Packs)
        {
            var (rows, capacity) = BestFitDecreasing.PackTightly(lengths, MaxLength);
            return rows.Chunk(Math.Clamp(PartTokens / capacity, 1, PartExamples)).Select(part => (part.ToList(), part.Max(r => r.Sum(i => lengths[i]))));
        }
        return LengthBuckets.MicroBatches(Enumerable.Range(0, lengths.Count), i => lengths[i], PartTokens, PartExamples).Select(part => (part.ConvertAll(i => new[] { i }), part.Max(i => lengths[i])));
    }
}
