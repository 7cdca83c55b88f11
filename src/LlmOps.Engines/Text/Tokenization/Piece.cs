namespace LlmOps.Engines.Text.Tokenization;

/// <summary>A part of a text on its way from the normalizer to the model.</summary>
/// <param name="Text">The string it lies in.</param>
/// <param name="Start">First character.</param>
/// <param name="Length">Number of characters (UTF-16 units).</param>
/// <param name="Leads">Whether the whole text starts with it: Metaspace's scheme "first" asks.</param>
internal readonly record struct Piece(string Text, int Start, int Length, bool Leads)
{
    public ReadOnlySpan<char> Span => Text.AsSpan(Start, Length);

    public static Piece Whole(string text, bool leads) => new(text, 0, text.Length, leads);

    /// <summary>A part of this piece, <paramref name="start"/> counted from its own beginning.</summary>
    public Piece Part(int start, int length) => new(Text, Start + start, length, Leads && start == 0);
}
