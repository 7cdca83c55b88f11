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
/// Context that does not fit into the model's length is dropped from the left. The last token is never computed, since nothing follows it; and a
/// request whose tokens before the last one are the beginning of another's is read off that one: answers of one token to a question cost one pass together.
/// </summary>
/// <param name="model">The model; not disposed here.</param>
/// <param name="batchTokens">Most tokens in one batch, padding included; one sequence is always allowed.</param>
public sealed class SequenceScorer(ICausalModel model, int batchTokens = 4096)
{
    // 256 MiB of logits: with a large vocabulary the batch shrinks before the memory grows.
    private const long MaxBatchLogits = 64L << 20;
    [ThreadStatic]
    private static float[]? scratch;

    /// <summary>Scores all requests; the result has their order.</summary>
    /// <param name="requests">What to score.</param>
    /// <param name="p">Share of tokens done, 0 to 1.</param>
    /// <param name="ct">Stops between batches.</param>
    /// <exception cref="ArgumentException">A request scores nothing, starts at 0, has an id outside the vocabulary, or its scored part does not fit into the model.</exception>
    /// <exception cref="InvalidModelException">The model returns another number of logits than it should, or values that are not numbers.</exception>
    public IReadOnlyList<SequenceScore> Score(IReadOnlyList<ScoreRequest> requests, IProgress<double>? p = null, CancellationToken ct = default)
    {
        var fitted = requests.Select(Fit).ToArray();
        var members = Group(fitted);
        // Longest first: padding is least among neighbours, and a batch that is too large fails at once rather than at the end.
        var order = members.Keys.OrderByDescending(i => fitted[i].Tokens.Length).ThenBy(i => i).ToArray();
        var found = fitted.Select(r => new (double LogProbability, bool IsGreedy)[r.Tokens.Length - r.ScoredFrom]).ToArray();
        var limit = Math.Max(1, Math.Min(batchTokens, MaxBatchLogits / model.VocabularySize));
        long total = order.Sum(i => (long)fitted[i].Tokens.Length), done = 0;
        for (var next = 0; next < order.Length;)
        {
            ct.ThrowIfCancellationRequested();
            var size = (int)Math.Clamp(limit / (fitted[order[next]].Tokens.Length - 1), 1, order.Length - next);
            var batch = order.AsSpan(next, size).ToArray();
            var from = Array.ConvertAll(batch, i => members[i].Min(m => fitted[m].ScoredFrom) - 1);
            Visit(Array.ConvertAll(batch, i => fitted[i].Tokens[..^1]), from, (b, t, row) => Read(row, t, members[batch[b]], fitted, found));
            done += batch.Sum(i => (long)fitted[i].Tokens.Length);
            next += size;
            p?.Report(done / (double)total);
        }
        return [.. found.Select(tokens => new SequenceScore(tokens.Sum(t => t.LogProbability), tokens.Length, tokens.All(t => t.IsGreedy)))];
    }

    private void Visit(int[][] sequences, int[] from, LogitVisitor visit)
    {
        try
        {
            model.Visit(sequences, from, visit);
        }
        catch (AggregateException e) when (e.InnerExceptions.OfType<InvalidModelException>().FirstOrDefault() is { } damaged)
        {
            throw new InvalidModelException(damaged.Message, e);
        }
    }

    // In the order of their tokens, a sequence stands right before those that it is the beginning of.
    private static Dictionary<int, List<int>> Group(ScoreRequest[] requests)
    {
        var order = Enumerable.Range(0, requests.Length).ToArray();
        Array.Sort(order, (a, b) => Input(a).SequenceCompareTo(Input(b)) is not 0 and var difference ? difference : a.CompareTo(b));
        var members = new Dictionary<int, List<int>>();
        var owner = -1;
        foreach (var i in order.Reverse())
        {
            if (owner < 0 || !Input(owner).StartsWith(Input(i)))
                members[owner = i] = [];
            members[owner].Add(i);
        }
        return members;

        ReadOnlySpan<int> Input(int i) => requests[i].Tokens.AsSpan()[..^1];
    }

    private static void Read(ReadOnlySpan<float> row, int position, List<int> members, ScoreRequest[] requests, (double, bool)[][] found)
    {
        var (constant, best) = (double.NaN, 0);
        foreach (var i in members)
        {
            var (tokens, from) = requests[i];
            if (position < from - 1 || position > tokens.Length - 2)
                continue;
            if (double.IsNaN(constant))
            {
                if (scratch is null || scratch.Length < row.Length)
                    scratch = new float[row.Length];
                best = TensorPrimitives.IndexOfMax(row);
                constant = LogProbability(row, best, scratch) - row[best];
            }
            found[i][position + 1 - from] = (row[tokens[position + 1]] + constant, best == tokens[position + 1]);
        }
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
