using System.Runtime.InteropServices;
using System.Security.Cryptography;
using LlmOps.Engines.Text;

namespace LlmOps.Training.Batching;

/// <summary>
/// The sequences of a fine-tuning in the order of their examples. Examples are read through once to learn the lengths, and again when a step needs them: only their
/// lengths stay in memory, so rows may come from a file of any size.
/// </summary>
internal sealed class FineTuningSet
{
    private readonly IReadOnlyList<FineTuningExample> examples;
    private readonly FineTuningEncoder encoder;
    // Of each sequence: its example, and which of the example's sequences it is.
    private readonly List<(int Example, int Part)> places = [];
    private readonly List<int> lengths = [];

    /// <exception cref="InvalidDatasetException">An example holds nothing to learn.</exception>
    public FineTuningSet(IReadOnlyList<FineTuningExample> examples, FineTuningEncoder encoder)
    {
        (this.examples, this.encoder) = (examples, encoder);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (int i = 0; i < examples.Count; i++)
        {
            IReadOnlyList<TokenSequence> parts = encoder.Encode(examples[i], i + 1);
            if (parts.Count == 0) Dropped++;
            for (int part = 0; part < parts.Count; part++)
            {
                TokenSequence sequence = parts[part];
                places.Add((i, part));
                lengths.Add(sequence.Tokens.Length);
                Scored += sequence.Scored;
                hash.AppendData(BitConverter.GetBytes(sequence.ScoredFrom));
                hash.AppendData(MemoryMarshal.AsBytes<int>(sequence.Tokens));
                hash.AppendData(MemoryMarshal.AsBytes<bool>(sequence.Labelled ?? []));
            }
        }
        Digest = MemoryMarshal.Cast<byte, int>(hash.GetHashAndReset()).ToArray();
    }

    /// <summary>Tokens of each sequence.</summary>
    public IReadOnlyList<int> Lengths => lengths;

    /// <summary>Examples that had no room for anything to learn.</summary>
    public int Dropped { get; }

    /// <summary>Predicted tokens of all sequences.</summary>
    public long Scored { get; }

    /// <summary>SHA-256 over all tokens and labels.</summary>
    public int[] Digest { get; }

    /// <summary>The sequences at these indices.</summary>
    public TokenSequence[] At(IEnumerable<int> indices)
        => [.. indices.Select(i => places[i]).Select(p => encoder.Encode(examples[p.Example], p.Example + 1)[p.Part])];
}
