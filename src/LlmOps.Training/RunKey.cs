using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace LlmOps.Training;

/// <summary>Digest of everything a run's outcome depends on; a checkpoint with another key belongs to another run.</summary>
internal static class RunKey
{
    /// <summary>Key of options, the digest of the starting weights ("" for none) and all examples in order.</summary>
    public static string Of<TOptions>(TOptions options, string startingWeights, IEnumerable<int[]> examples)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"1|{typeof(TOptions).Name}|{TorchRuntime.Threads}|{startingWeights}|{JsonSerializer.Serialize(options)}"));
        foreach (int[] example in examples)
        {
            hash.AppendData(BitConverter.GetBytes(example.Length));
            hash.AppendData(MemoryMarshal.AsBytes<int>(example));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
