using System.Buffers.Binary;
using System.Security.Cryptography;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// Token sequences that activations are measured on: texts in the form that the model will see in use, chat template included. Every fourth is
/// held out: it measures the error of what the others chose.
/// </summary>
public sealed class CalibrationTokens
{
    private const int HoldOutEvery = 4;

    /// <exception cref="ArgumentException">There are fewer than two sequences, or one is empty.</exception>
    public CalibrationTokens(IReadOnlyList<int[]> sequences)
    {
        if (sequences.Count < 2)
            throw new ArgumentException($"Calibration needs at least 2 sequences, one of them held out; there are {sequences.Count}.", nameof(sequences));
        if (sequences.Index().FirstOrDefault(s => s.Item.Length == 0) is { Item: not null } empty)
            throw new ArgumentException($"Calibration sequence {empty.Index} has no tokens.", nameof(sequences));
        Sequences = sequences;
        Sha256 = Hash(sequences);
    }

    /// <summary>All sequences.</summary>
    public IReadOnlyList<int[]> Sequences { get; }

    /// <summary>SHA-256, lower-case hexadecimal, of the sequences: per sequence its length, then its ids, each as 32-bit little-endian.</summary>
    public string Sha256 { get; }

    internal IReadOnlyList<int[]> HeldOut => [.. Sequences.Where((_, i) => IsHeldOut(i))];
    internal IReadOnlyList<int[]> Fitted => [.. Sequences.Where((_, i) => !IsHeldOut(i))];

    private bool IsHeldOut(int i) => i % HoldOutEvery == Math.Min(HoldOutEvery, Sequences.Count) - 1;

    private static string Hash(IReadOnlyList<int[]> sequences)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var sequence in sequences)
        {
            var bytes = new byte[4 * (sequence.Length + 1)];
            BinaryPrimitives.WriteInt32LittleEndian(bytes, sequence.Length);
            for (var i = 0; i < sequence.Length; i++)
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4 * (i + 1)), sequence[i]);
            hash.AppendData(bytes);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
