using LlmOps.Engines.Inference.Constraints;

namespace LlmOps.Engines.Inference;

/// <summary>
/// What one generation may say, token by token: <see cref="Apply"/> before a token is chosen, <see cref="Accept"/> after. From every token allowed the text
/// can still be completed. Made by <see cref="OutputGrammar.Start"/>; not safe for use on many threads, but many may be at work on one grammar.
/// </summary>
public sealed class TokenConstraint
{
    private readonly CompiledGrammar grammar;
    private readonly TokenTrie trie;
    private Term state;

    internal TokenConstraint(CompiledGrammar grammar, TokenTrie trie, Term state) => (this.grammar, this.trie, this.state) = (grammar, trie, state);

    /// <summary>Whether the text is complete, so that an end token is allowed; it may still go on when <see cref="IsOver"/> is false.</summary>
    public bool IsComplete => IsOver || state.Nullable;

    /// <summary>Whether nothing but an end token is allowed, or one was accepted.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Sets the scores of all tokens that may not come next to −∞.</summary>
    /// <param name="scores">One score for each token; rows beyond the vocabulary are never allowed.</param>
    /// <exception cref="ArgumentException">There are fewer scores than tokens, or the schema has too many readings of the text so far.</exception>
    public void Apply(Span<float> scores)
    {
        if (scores.Length < trie.VocabularySize)
            throw new ArgumentException($"There are {scores.Length} scores for {trie.VocabularySize} tokens.", nameof(scores));
        grammar.Apply(trie, state, scores[..trie.VocabularySize]);
        scores[trie.VocabularySize..].Fill(float.NegativeInfinity);
    }

    /// <summary>Goes on with a chosen token.</summary>
    /// <exception cref="ArgumentException">The token is not allowed here.</exception>
    public void Accept(int token)
    {
        if (trie.EndTokens.Contains(token) && IsComplete)
        {
            state = grammar.End;
        }
        else
        {
            state = (uint)token < (uint)trie.VocabularySize && grammar.Next(state, trie.BytesOf(token)) is { } next
                ? next
                : throw new ArgumentException($"Token {token} is not allowed here.", nameof(token));
        }
        IsOver = state == grammar.End;
    }

    /// <summary>An independent constraint in the same state, for a second way to go on.</summary>
    public TokenConstraint Clone() => new(grammar, trie, state) { IsOver = IsOver };
}
