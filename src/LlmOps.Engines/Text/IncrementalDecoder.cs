using System.Text;

namespace LlmOps.Engines.Text;

/// <summary>
/// Turns tokens into text as they come: a character may be spread over several tokens, and the first token of a text may lose the space before it. What it gives, put
/// together, is what <see cref="Tokenizer.Decode"/> gives for all ids, but for runs of byte tokens that are no UTF-8, where whole characters before the fault are kept.
/// </summary>
/// <remarks>Control tokens have no text. For one text and one thread.</remarks>
public sealed class IncrementalDecoder
{
    private readonly Func<int, bool, byte[]> bytesOf;
    private readonly Func<int, bool> isSpecial;
    private readonly bool skipsEmptyStart;
    private readonly Decoder utf8 = Encoding.UTF8.GetDecoder();
    private bool started;

    /// <summary>Starts a text.</summary>
    public IncrementalDecoder(Tokenizer tokenizer) : this(tokenizer.BytesOf, tokenizer.IsSpecial, tokenizer.SkipsEmptyStart)
    {
    }

    /// <param name="bytesOf">Bytes of a token that is the first or not.</param>
    /// <param name="isSpecial">Whether a token has no text.</param>
    /// <param name="skipsEmptyStart">Whether a token is still the first when all before it had no text.</param>
    internal IncrementalDecoder(Func<int, bool, byte[]> bytesOf, Func<int, bool> isSpecial, bool skipsEmptyStart) =>
        (this.bytesOf, this.isSpecial, this.skipsEmptyStart) = (bytesOf, isSpecial, skipsEmptyStart);

    /// <summary>Takes the next token.</summary>
    /// <returns>Text that nothing can change any more.</returns>
    /// <exception cref="ArgumentException">The id is outside the vocabulary.</exception>
    public string Push(int id)
    {
        if (isSpecial(id))
            return "";
        var bytes = bytesOf(id, !started);
        started |= bytes.Length > 0 || !skipsEmptyStart;
        return Text(bytes, flush: false);
    }

    /// <summary>Ends the text.</summary>
    /// <returns>U+FFFD when the last character is not complete, else nothing.</returns>
    public string Flush() => Text([], flush: true);

    private string Text(ReadOnlySpan<byte> bytes, bool flush)
    {
        var chars = new char[Encoding.UTF8.GetMaxCharCount(bytes.Length + 3)];
        return new string(chars, 0, utf8.GetChars(bytes, chars, flush));
    }
}
