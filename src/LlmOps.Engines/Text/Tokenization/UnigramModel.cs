using System.Globalization;
using System.Text;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>A piece of a unigram vocabulary.</summary>
/// <param name="Text">Its characters.</param>
/// <param name="Score">Log-probability.</param>
/// <param name="Always">Chosen over every other way to cut (SentencePiece's user-defined pieces).</param>
/// <param name="Hidden">Not to be found in a text: control tokens, unused pieces.</param>
internal readonly record struct UnigramPiece(string Text, double Score, bool Always = false, bool Hidden = false);

/// <summary>
/// Unigram language model (Kudo 2018): of all ways to cut a text into pieces, the one with the greatest sum of log-probabilities, found by Viterbi's algorithm.
/// A character without a piece of its own costs ten below the lowest score.
/// </summary>
internal sealed class UnigramModel : TokenModel
{
    private const double UnknownPenalty = 10;

    private readonly UnigramPiece[] pieces;
    private readonly CharacterTrie trie = new();
    private readonly int? unknown;
    private readonly int[]? byteIds;
    private readonly bool single;
    private readonly double unknownScore;
    private readonly double maxScore;

    /// <param name="pieces">The vocabulary; the index is the id.</param>
    /// <param name="unknown">Id for characters without a piece; null refuses them.</param>
    /// <param name="byteFallback">Whether unknown characters become the tokens of their bytes.</param>
    /// <param name="single">Whether sums are kept in single precision, as SentencePiece does, or in double, as <c>tokenizers</c> does: near ties depend on it.</param>
    public UnigramModel(UnigramPiece[] pieces, int? unknown, bool byteFallback, bool single)
    {
        (this.pieces, this.unknown, this.single) = (pieces, unknown, single);
        var byText = new Dictionary<string, int>(pieces.Length, StringComparer.Ordinal);
        // SentencePiece starts from C's FLT_MIN, the least positive number, so that log-probabilities never count here.
        var (least, most) = (double.PositiveInfinity, 1.17549435e-38);
        for (var id = 0; id < pieces.Length; id++)
        {
            var (text, score, always, hidden) = pieces[id];
            byText[text] = id;
            if (!hidden && text.Length > 0)
                trie.Add(text, id);
            // SentencePiece asks its ordinary pieces only, tokenizers all.
            if (!single || !(always || hidden))
                (least, most) = (Math.Min(least, score), Math.Max(most, score));
        }
        (unknownScore, maxScore) = (Round(least - UnknownPenalty), most);
        byteIds = byteFallback ? [.. Enumerable.Range(0, 256).Select(b => byText.GetValueOrDefault(string.Create(CultureInfo.InvariantCulture, $"<0x{b:X2}>"), -1))] : null;
    }

    protected override void Compute(ReadOnlySpan<char> piece, List<int> output)
    {
        var steps = Best(piece);
        var path = new List<(int Start, int End, int Id)>();
        for (var end = piece.Length; end > 0; end = steps[end].Start)
        {
            var (start, id) = (steps[end].Start, steps[end].Id);
            // Neighbouring unknown characters are one token.
            if (id == unknown && path.Count > 0 && path[^1].Id == unknown)
                path[^1] = (start, path[^1].End, id);
            else
                path.Add((start, end, id));
        }
        for (var i = path.Count - 1; i >= 0; i--)
        {
            var text = piece[path[i].Start..path[i].End];
            if (path[i].Id != unknown || !AddBytes(text, output))
                output.Add(path[i].Id);
        }
    }

    private (int Start, int Id)[] Best(ReadOnlySpan<char> text)
    {
        var steps = new (int Start, int Id)[text.Length + 1];
        var scores = new double[text.Length + 1];
        Array.Fill(steps, (-1, -1));
        for (var start = 0; start < text.Length;)
        {
            Rune.DecodeFromUtf16(text[start..], out _, out var width);
            var (node, known) = (CharacterTrie.Root, false);
            for (var end = start; end < text.Length && trie.Next(node, text[end], out node);)
            {
                end++;
                if (trie.ValueAt(node) is not (>= 0 and var id))
                    continue;
                Offer(end, id, scores[start] + (pieces[id].Always ? Encoding.UTF8.GetByteCount(pieces[id].Text) * maxScore - 0.1 : pieces[id].Score));
                known |= end - start == width;
            }
            if (!known)
                Offer(start + width, unknown ?? throw new ArgumentException($"'{text.Slice(start, width)}' is not in the vocabulary, and the tokenizer has no unknown token."), Round(scores[start] + unknownScore));
            start += width;

            void Offer(int end, int id, double sum)
            {
                if (steps[end].Start < 0 || sum > scores[end])
                    (scores[end], steps[end]) = (Round(sum), (start, id));
            }
        }
        return steps;
    }

    private double Round(double value) => single ? (float)value : value;

    private bool AddBytes(ReadOnlySpan<char> text, List<int> output)
    {
        if (byteIds is null)
            return false;
        var bytes = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, bytes);
        if (bytes.Any(b => byteIds[b] < 0))
            return false;
        output.AddRange(bytes.Select(b => byteIds[b]));
        return true;
    }
}
