using System.Text;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Tests.Inference.Constraints;

/// <summary>A model without any sense: draws among the tokens a constraint allows, and tires after a while, when it prefers what closes something.</summary>
internal sealed class ConstrainedWalk(Tokenizer tokenizer, Random random)
{
    private readonly float[] scores = new float[tokenizer.VocabularySize];

    public TokenTrie Trie { get; } = new(tokenizer);

    /// <summary>The text of a generation that ended with an end token, or null when it took too long.</summary>
    public string? Run(OutputGrammar grammar, int tiredAfter = 40, int most = 3000)
    {
        var constraint = grammar.Start(Trie);
        var text = new List<byte>();
        for (var step = 0; step < most; step++)
        {
            var token = Choose(Allowed(constraint), step > tiredAfter);
            constraint.Accept(token);
            if (token == tokenizer.EosId)
                return Encoding.UTF8.GetString([.. text]);
            text.AddRange(tokenizer.Bytes(token));
        }
        return null;
    }

    /// <summary>Whether a text can be produced, in the tokens the tokenizer makes of it and byte by byte, with an end after it.</summary>
    public bool Accepts(OutputGrammar grammar, string text)
    {
        var whole = Follows(grammar, tokenizer.Encode(text));
        var bytes = Follows(grammar, Encoding.UTF8.GetBytes(text).SelectMany(b => tokenizer.Encode(((char)b).ToString()) is [var one] && b < 128 ? [one] : new[] { ByteToken(b) }));
        Assert.Equal(whole, bytes);
        return whole;
    }

    public List<int> Allowed(TokenConstraint constraint)
    {
        Array.Clear(scores);
        constraint.Apply(scores);
        var allowed = Enumerable.Range(0, scores.Length).Where(t => scores[t] == 0).ToList();
        Assert.NotEmpty(allowed);
        Assert.Equal(constraint.IsComplete, allowed.Contains(tokenizer.EosId!.Value));
        return allowed;
    }

    private bool Follows(OutputGrammar grammar, IEnumerable<int> tokens)
    {
        var constraint = grammar.Start(Trie);
        foreach (var token in tokens)
        {
            if (!Allowed(constraint).Contains(token))
                return false;
            constraint.Accept(token);
        }
        return constraint.IsComplete;
    }

    private int ByteToken(byte b) => Enumerable.Range(SpecialTokens.All.Count, 256).Single(t => tokenizer.Bytes(t) is [var only] && only == b);

    private int Choose(List<int> allowed, bool tired)
    {
        if (tired)
        {
            if (allowed.Contains(tokenizer.EosId!.Value))
                return tokenizer.EosId.Value;
            allowed = Prefer(allowed, t => !tokenizer.Bytes(t).ContainsAny("{["u8));
            if (random.Next(4) > 0)
                allowed = Prefer(allowed, t => tokenizer.Bytes(t).ContainsAny("\"}]"u8));
        }
        return allowed[random.Next(allowed.Count)];
    }

    private static List<int> Prefer(List<int> tokens, Func<int, bool> better) => tokens.Where(better).ToList() is { Count: > 0 } some ? some : tokens;
}
