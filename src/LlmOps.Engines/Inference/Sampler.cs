using System.Numerics.Tensors;
using LlmOps.Engines.Evaluation;

namespace LlmOps.Engines.Inference;

/// <summary>Chooses the tokens of one continuation; <see cref="SamplingOptions"/> says in which order.</summary>
/// <param name="options">How to choose.</param>
/// <param name="vocabulary">Tokens that have a text; a model may have more rows, added to round its matrices, which are never chosen.</param>
/// <param name="continuation">Added to the seed.</param>
internal sealed class Sampler(SamplingOptions options, int vocabulary, int continuation = 0)
{
    private readonly Random random = options.Seed is { } seed ? new Random(unchecked(seed + continuation)) : new Random();
    private readonly float[] scores = new float[vocabulary];
    private readonly Nucleus nucleus = new(vocabulary);
    private readonly HashSet<int> seen = [];
    private readonly Dictionary<int, int> made = [];
    private float[] scratch = [];

    public void Remember(ReadOnlySpan<int> tokens)
    {
        foreach (var token in tokens)
            if (token < vocabulary)
                seen.Add(token);
    }

    /// <returns>The token and the natural logarithm of its probability under the unchanged logits.</returns>
    /// <exception cref="ArgumentException">The grammar and the tokens held back leave nothing to choose.</exception>
    /// <exception cref="InvalidModelException">A logit is not a number, or infinite.</exception>
    public (int Token, double LogProbability) Next(ReadOnlySpan<float> logits, ReadOnlySpan<int> forbidden, TokenConstraint? constraint = null)
    {
        Score(logits, forbidden, constraint);
        var chosen = options.Temperature == 0 ? TensorPrimitives.IndexOfMax<float>(scores) : Draw();
        if (float.IsNaN(scores[chosen]))
            throw new InvalidModelException("The model gave a logit that is not a number; its weights are damaged or overflow.");
        if (float.IsNegativeInfinity(scores[chosen]))
            throw new ArgumentException("The grammar allows no token that the options do not hold back.");
        seen.Add(chosen);
        made[chosen] = made.GetValueOrDefault(chosen) + 1;
        if (scratch.Length < logits.Length)
            scratch = new float[logits.Length];
        return (chosen, SequenceScorer.LogProbability(logits, chosen, scratch));
    }

    /// <summary>The most likely tokens under the unchanged logits, best first.</summary>
    public IReadOnlyList<TokenLogProbability> Alternatives(ReadOnlySpan<float> logits, int token, double logProbability)
    {
        // log p differs from the logit by the same constant for all tokens, and that of one token is known.
        var constant = logProbability - logits[token];
        var best = TopSelection.Largest(logits[..vocabulary], options.TopLogProbabilities);
        var found = new TokenLogProbability[best.Length];
        for (var i = 0; i < best.Length; i++)
            found[i] = new(best[i], logits[best[i]] + constant);
        return found;
    }

    private void Score(ReadOnlySpan<float> logits, ReadOnlySpan<int> forbidden, TokenConstraint? constraint)
    {
        logits[..vocabulary].CopyTo(scores);
        // Negative infinity stays what it is under everything below: what is forbidden here cannot come back.
        constraint?.Apply(scores);
        if (options.LogitBias is { } biases)
            foreach (var (token, bias) in biases)
                if (token < vocabulary)
                    scores[token] += bias;
        if (options.RepetitionPenalty != 1)
            foreach (var token in seen)
                scores[token] = scores[token] > 0 ? scores[token] / options.RepetitionPenalty : scores[token] * options.RepetitionPenalty;
        if (options.PresencePenalty != 0 || options.FrequencyPenalty != 0)
            foreach (var (token, count) in made)
                scores[token] -= options.PresencePenalty + count * options.FrequencyPenalty;
        foreach (var token in forbidden)
            if (token < vocabulary)
                scores[token] = float.NegativeInfinity;
    }

    // Weights are exp((score − best) / temperature), so that the best has weight 1 and nothing overflows.
    private int Draw()
    {
        var best = TensorPrimitives.Max<float>(scores);
        if (!float.IsFinite(best))
            return TensorPrimitives.IndexOfMax<float>(scores);
        if (options.TopK > 0 && options.TopK < vocabulary)
            return nucleus.Draw(TopSelection.Largest(scores, options.TopK), scores, best, options, random);
        TensorPrimitives.Subtract(scores, best, nucleus.Weights);
        TensorPrimitives.Divide(nucleus.Weights, options.Temperature, nucleus.Weights);
        TensorPrimitives.Exp<float>(nucleus.Weights, nucleus.Weights);
        return nucleus.Draw(options, random);
    }
}
