using System.Numerics.Tensors;

namespace LlmOps.Engines.Evaluation;

/// <summary>A sequence of which a part is scored.</summary>
/// <param name="Tokens">Context and continuation.</param>
/// <param name="ScoredFrom">Index of the first scored token, at least 1: the first token of all has nothing to be predicted from.</param>
public readonly record struct ScoreRequest(int[] Tokens, int ScoredFrom);

/// <summary>How well a model predicts the scored part of a sequence.</summary>
/// <param name="LogProbability">Sum of natural log-probabilities of the scored tokens.</param>
/// <param name="Tokens">Number of scored tokens.</param>
/// <param name="IsGreedy">Whether each scored token is the most probable one, so that greedy decoding would produce it.</param>
public sealed record SequenceScore(double LogProbability, int Tokens, bool IsGreedy);

/// <summary>
/// Log-likelihood scoring as in lm-evaluation-harness (<c>loglikelihood</c>): Σ log p(token | all before) over a continuation, and whether it is greedy.
/// Context that does not fit into the model's length is dropped from the left.
/// </summary>
/// <param name="model">The model; not disposed here.</param>
/// <param name="batchTokens">Most tokens in one batch, padding included; one sequence is always allowed.</param>
public sealed class SequenceScorer(ICausalModel model, int batchTokens = 4096)
{
    // 256 MiB of logits: with a large vocabulary the batch shrinks before the memory grows.
    private const long MaxBatchLogits = 64L << 20;

    /// <summary>Scores all requests; the result has their order.</summary>
    /// <param name="requests">What to score.</param>
    /// <param name="p">Share of tokens done, 0 to 1.</param>
    /// <param name="ct">Stops between batches.</param>
    /// <exception cref="ArgumentException">A request scores nothing, starts at 0, has an id outside the vocabulary, or its scored part does not fit into the model.</exception>
    /// <exception cref="InvalidModelException">The model returns another number of logits than it should, or values that are not numbers.</exception>
    public IReadOnlyList<SequenceScore> Score(IReadOnlyList<ScoreRequest> requests, IProgress<double>? p = null, CancellationToken ct = default)
    {
        var fitted = requests.Select(Fit).ToArray();
        // Longest first: padding is least among neighbours, and a batch that is too large fails at once rather than at the end.
        var order = Enumerable.Range(0, fitted.Length).OrderByDescending(i => fitted[i].Tokens.Length).ThenBy(i => i).ToArray();
        var scores = new SequenceScore[fitted.Length];
        var limit = Math.Max(1, Math.Min(batchTokens, MaxBatchLogits / model.VocabularySize));
        var scratch = new float[model.VocabularySize];
        long total = fitted.Sum(r => (long)r.Tokens.Length), done = 0;
        for (var next = 0; next < order.Length;)
        {
            ct.ThrowIfCancellationRequested();
            var size = (int)Math.Clamp(limit / fitted[order[next]].Tokens.Length, 1, order.Length - next);
            var batch = order.AsSpan(next, size).ToArray();
            var logits = model.Logits(Array.ConvertAll(batch, i => fitted[i].Tokens));
            for (var b = 0; b < batch.Length; b++)
            {
                scores[batch[b]] = Score(fitted[batch[b]], logits[b], scratch);
                done += fitted[batch[b]].Tokens.Length;
            }
            next += size;
            p?.Report(done / (double)total);
        }
        return scores;
    }

    private SequenceScore Score(ScoreRequest request, float[] logits, float[] scratch)
    {
        var v = model.VocabularySize;
        if (logits.Length != (long)request.Tokens.Length * v)
            throw new InvalidModelException($"The model gave {logits.Length} logits for {request.Tokens.Length} tokens of a vocabulary of {v}.");
        var (sum, greedy) = (0.0, true);
        for (var t = request.ScoredFrom; t < request.Tokens.Length; t++)
        {
            var row = logits.AsSpan((t - 1) * v, v);
            var token = request.Tokens[t];
            sum += LogProbability(row, token, scratch);
            greedy &= TensorPrimitives.IndexOfMax<float>(row) == token;
        }
        return new SequenceScore(sum, request.Tokens.Length - request.ScoredFrom, greedy);
    }

    /// <summary>log softmax(row)[token] = x − max − ln Σ exp(xᵢ − max); the sum is vectorised in single, the rest is double precision.</summary>
    /// <param name="row">Logits of one position.</param>
    /// <param name="token">Index into the row.</param>
    /// <param name="scratch">Overwritten; at least as long as the row.</param>
    /// <exception cref="InvalidModelException">A logit is not a number, or infinite.</exception>
    public static double LogProbability(ReadOnlySpan<float> row, int token, Span<float> scratch)
    {
        var max = TensorPrimitives.Max(row);
        if (!float.IsFinite(max))
            throw new InvalidModelException($"The model gave a logit of {max}; its weights are damaged or overflow.");
        var shifted = scratch[..row.Length];
        TensorPrimitives.Subtract(row, max, shifted);
        double value = shifted[token];
        TensorPrimitives.Exp<float>(shifted, shifted);
        return value - Math.Log(TensorPrimitives.Sum<float>(shifted));
    }

    private ScoreRequest Fit(ScoreRequest request)
    {
        var (tokens, from) = request;
        if (from < 1 || from >= tokens.Length)
            throw new ArgumentException($"A request of {tokens.Length} tokens is scored from {from}; that must be at least 1 and below the length.");
        foreach (var token in tokens)
        {
            if ((uint)token >= (uint)model.VocabularySize)
                throw new ArgumentException($"Token id {token} is outside the model's vocabulary of {model.VocabularySize}.");
        }
        var surplus = tokens.Length - model.MaxLength;
        if (surplus <= 0)
            return request;
        if (from - surplus < 1)
            throw new ArgumentException($"{tokens.Length - from} scored tokens and one of context do not fit into the model's length of {model.MaxLength}.");
        return new ScoreRequest(tokens[surplus..], from - surplus);
    }
}
