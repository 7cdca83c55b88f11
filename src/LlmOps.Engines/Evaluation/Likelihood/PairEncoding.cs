namespace LlmOps.Engines.Evaluation.Likelihood;

/// <summary>Tokens of a context and of the continuation to score after it, cut as lm-evaluation-harness cuts them.</summary>
/// <param name="Context">At least one token.</param>
/// <param name="Continuation">The scored tokens; none if the continuation is empty.</param>
public sealed record PairEncoding(int[] Context, int[] Continuation)
{
    /// <summary>
    /// Spaces at the end of the context move to the continuation, since tokens begin with their space; the joined text is tokenized, and what comes after as many tokens
    /// as the context alone has is scored. An empty context becomes the prefix token.
    /// </summary>
    /// <param name="context">What stands before.</param>
    /// <param name="continuation">What is scored.</param>
    /// <param name="encode">The tokenizer, without control tokens.</param>
    /// <param name="prefix">Token that a text begins with: beginning of text, or where a model has none, end of text.</param>
    public static PairEncoding Of(string context, string continuation, Func<string, int[]> encode, int prefix)
    {
        if (context.Length == 0)
        {
            var alone = encode(continuation);
            return alone.Length > 1 && alone[0] == prefix ? new(alone[..1], alone[1..]) : new([prefix], alone);
        }
        var kept = context.TrimEnd();
        continuation = context[kept.Length..] + continuation;
        if (kept.Length == 0)
            return Of("", continuation, encode, prefix);
        var before = encode(kept);
        var whole = encode(kept + continuation);
        // Where one token spans the end of the context and all of the continuation, the cut would leave nothing to score.
        return new(before, whole.Length > before.Length ? whole[before.Length..] : encode(continuation));
    }

    /// <summary>The request to score it.</summary>
    /// <exception cref="ArgumentException">The continuation has no token.</exception>
    public ScoreRequest Request() => Continuation.Length > 0
        ? new([.. Context, .. Continuation], Context.Length)
        : throw new ArgumentException("The continuation has no token, so there is nothing to score.");
}
