namespace LlmOps.Engines.Evaluation.Likelihood;

/// <summary>What a model sees and what it is scored on.</summary>
/// <param name="Input">Tokens it reads; the last ones predict the scored tokens, each the next.</param>
/// <param name="Predicted">The scored tokens.</param>
public sealed record RollingWindow(int[] Input, int[] Predicted)
{
    /// <summary>The tokens before the first scored one.</summary>
    public int[] Context => Input[..(Input.Length - Predicted.Length + 1)];

    /// <summary>The request to score it.</summary>
    public ScoreRequest Request() => new([.. Context, .. Predicted], Context.Length);
}

/// <summary>Cuts a text that is longer than a model's context so that each token is scored once, as in lm-evaluation-harness (<c>loglikelihood_rolling</c>).</summary>
public static class RollingWindows
{
    /// <summary>
    /// The first window predicts from the prefix token; each next one predicts up to <paramref name="length"/> − <paramref name="context"/> + 1 further tokens; the last one
    /// reaches back so far that it is full.
    /// </summary>
    /// <param name="tokens">The text.</param>
    /// <param name="prefix">Token that a text begins with.</param>
    /// <param name="length">Most tokens a model reads at once. For <see cref="SequenceScorer"/>, which counts the last scored token too, one less than the model's length.</param>
    /// <param name="context">Tokens of known text that each window after the first begins with, 1 to length.</param>
    public static IEnumerable<RollingWindow> Of(int[] tokens, int prefix, int length, int context = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(context, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(context, length);
        return Cut(tokens, prefix, length, length - context + 1);
    }

    private static IEnumerable<RollingWindow> Cut(int[] tokens, int prefix, int length, int step)
    {
        if (tokens.Length == 0)
            yield break;
        var done = Math.Min(length, tokens.Length);
        yield return new([prefix, .. tokens[..(done - 1)]], tokens[..done]);
        while (done < tokens.Length)
        {
            var end = Math.Min(done + step, tokens.Length);
            yield return new(tokens[(end - length - 1)..(end - 1)], tokens[done..end]);
            done = end;
        }
    }
}
