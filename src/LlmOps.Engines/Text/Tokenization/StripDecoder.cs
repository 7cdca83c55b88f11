namespace LlmOps.Engines.Text.Tokenization;

/// <summary>Takes some characters off the ends of each token; after <see cref="FuseDecoder"/> there is one, the whole text.</summary>
/// <param name="content">The character.</param>
/// <param name="start">How many at most at the start.</param>
/// <param name="stop">How many at most at the end.</param>
internal sealed class StripDecoder(string content, int start, int stop) : TokenDecoder
{
    public override List<string> Decode(List<string> tokens)
    {
        for (var i = 0; i < tokens.Count; i++)
            tokens[i] = Strip(tokens[i]);
        return tokens;
    }

    // Used after tokens became one text, whose ends lie elsewhere.
    public override string Following(string token) => token;

    private string Strip(string text)
    {
        for (var i = 0; i < start && text.StartsWith(content, StringComparison.Ordinal); i++)
            text = text[content.Length..];
        for (var i = 0; i < stop && text.EndsWith(content, StringComparison.Ordinal); i++)
            text = text[..^content.Length];
        return text;
    }
}
