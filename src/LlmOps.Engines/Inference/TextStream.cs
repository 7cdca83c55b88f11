using LlmOps.Engines.Text;

namespace LlmOps.Engines.Inference;

/// <summary>Turns tokens into text as it becomes certain: a character may be spread over several tokens, and a stop text too.</summary>
internal sealed class TextStream(IncrementalDecoder decoder, IReadOnlyList<string> stops)
{
    private string held = "";

    public TextStream(Tokenizer tokenizer, IReadOnlyList<string> stops) : this(new IncrementalDecoder(tokenizer), stops)
    {
    }

    /// <returns>Text that nothing can change any more, and whether a stop text ended it.</returns>
    public (string Text, bool Stopped) Push(int token)
    {
        held += decoder.Push(token);
        return Release(complete: false);
    }

    /// <summary>What is left when no more tokens come.</summary>
    public (string Text, bool Stopped) Flush()
    {
        held += decoder.Flush();
        return Release(complete: true);
    }

    private (string Text, bool Stopped) Release(bool complete)
    {
        var first = stops.Select(stop => held.IndexOf(stop, StringComparison.Ordinal)).Where(at => at >= 0).DefaultIfEmpty(-1).Min();
        if (first >= 0)
        {
            var before = held[..first];
            held = "";
            return (before, true);
        }
        var keep = complete ? 0 : stops.Select(StartAtEnd).DefaultIfEmpty(0).Max();
        var text = held[..^keep];
        held = held[^keep..];
        return (text, false);
    }

    // How many characters at the end of the held text could be the beginning of the stop text.
    private int StartAtEnd(string stop)
    {
        for (var length = Math.Min(stop.Length - 1, held.Length); length > 0; length--)
            if (held.EndsWith(stop[..length], StringComparison.Ordinal))
                return length;
        return 0;
    }
}
