using System.Runtime.InteropServices;
using System.Security.Cryptography;
using LlmOps.Engines.Text;
using LlmOps.Engines.Text.Augmentation;

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

    /// <summary>Reads all examples once.</summary>
    /// <param name="examples">The examples; asked again for those of each step.</param>
    /// <param name="encoder">Makes tokens of them.</param>
    /// <param name="without">Numbers of examples that are left out, from 0; null for none.</param>
    /// <exception cref="InvalidDatasetException">An example holds nothing to learn.</exception>
    public FineTuningSet(IReadOnlyList<FineTuningExample> examples, FineTuningEncoder encoder, IReadOnlySet<int>? without = null)
    {
        (this.examples, this.encoder, Notes) = (examples, encoder, new RowNotes(encoder.Limit) { Without = without ?? new HashSet<int>() });
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (int i = 0; i < examples.Count; i++)
        {
            if (Notes.Without.Contains(i)) continue;
            IReadOnlyList<TokenSequence> parts = encoder.Encode(examples[i], i + 1, out bool tooLong);
            if (parts.Count == 0) Notes.WithoutRoom.Add(i);
            else if (tooLong) Notes.Cut.Add(i);
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

    /// <summary>Which examples are left out, and which were cut.</summary>
    public RowNotes Notes { get; }

    /// <summary>Predicted tokens of all sequences.</summary>
    public long Scored { get; }

    /// <summary>SHA-256 over all tokens and labels.</summary>
    public int[] Digest { get; }

    /// <summary>Changes the examples of each epoch; null leaves them as they are.</summary>
    public TextAugmentation? Augmentation { get; init; }

    /// <summary>What the augmentation did in all calls of At.</summary>
    public AugmentationTally Augmented { get; } = new();

    /// <summary>The sequences at these indices, as an epoch sees them.</summary>
    public TokenSequence[] At(IEnumerable<int> indices, int epoch = 0) => [.. indices.Select(i => places[i]).Select(p => At(p.Example, p.Part, epoch))];

    private TokenSequence At(int number, int part, int epoch)
    {
        FineTuningExample example = examples[number];
        if (Augmentation?.Apply(example, epoch, number) is (var changed, { } record))
        {
            IReadOnlyList<TokenSequence> parts = encoder.Encode(changed, number + 1, out bool tooLong);
            // What outgrows the limit by being changed is trained on as it was.
            if (!tooLong && part < parts.Count)
            {
                Augmented.Add(record, example, changed);
                return parts[part];
            }
        }
        return encoder.Encode(example, number + 1)[part];
    }
}
