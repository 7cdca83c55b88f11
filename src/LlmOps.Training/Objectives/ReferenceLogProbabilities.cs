using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmOps.Engines;
using LlmOps.Engines.Checkpoints;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using static TorchSharp.torch;

namespace LlmOps.Training.Objectives;

/// <summary>
/// Log-probabilities of completions under the starting model (sums over completion tokens, natural logarithm). They depend on the weights and the
/// tokens only, so they are computed once and kept in a file named by the hash of both: a further epoch, objective, β or learning rate needs no
/// reference pass. A file that is damaged or belongs to something else is computed anew.
/// </summary>
/// <param name="Values">One number for each sequence.</param>
/// <param name="ForwardPasses">Passes of the starting model that were needed; 0 when the file was good.</param>
internal sealed record ReferenceLogProbabilities(float[] Values, int ForwardPasses)
{
    private const string Tensor = "log_probabilities";

    /// <param name="model">The model, still with its starting weights.</param>
    /// <param name="sequences">Prompt and completion of each.</param>
    /// <param name="weightsSha256">Digest of the starting weights.</param>
    /// <param name="cacheFolder">Where the file is kept; null computes always and keeps nothing.</param>
    /// <param name="ct">Cancels between passes.</param>
    /// <exception cref="TrainingFailedException">The starting model gives a log-probability that is no number.</exception>
    public static ReferenceLogProbabilities Of(
        CausalLanguageModel model, IReadOnlyList<TokenSequence> sequences, string weightsSha256, string? cacheFolder, CancellationToken ct)
    {
        if (sequences.Count == 0) return new ReferenceLogProbabilities([], 0);
        string key = Key(model, sequences, weightsSha256);
        string? path = cacheFolder is null ? null : Path.Combine(cacheFolder, key + ".safetensors");
        if (path is not null && Read(path, key, sequences.Count) is { } kept) return new ReferenceLogProbabilities(kept, 0);
        var (values, passes) = Compute(model, sequences, ct);
        if (path is not null)
        {
            Directory.CreateDirectory(cacheFolder!);
            SafetensorsWriter.WriteFloat32(path, [(Tensor, [values.Length], values)], new Dictionary<string, string> { ["key"] = key, ["sha256"] = Digest(values) });
        }
        return new ReferenceLogProbabilities(values, passes);
    }

    private static (float[] Values, int Passes) Compute(CausalLanguageModel model, IReadOnlyList<TokenSequence> sequences, CancellationToken ct)
    {
        using var noGradient = no_grad();
        var values = new float[sequences.Count];
        int passes = 0;
        IEnumerable<int> byLength = Enumerable.Range(0, sequences.Count).OrderBy(i => sequences[i].Tokens.Length);
        foreach (List<int> part in LengthBuckets.MicroBatches(byLength, i => sequences[i].Tokens.Length, MicroBatch.Tokens(model)))
        {
            ct.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            float[] log = TokenLogProbabilities.PerRow(model, TokenBatch.OfSequences([.. part.Select(i => sequences[i])], model.Config.PadTokenId)).cpu().data<float>().ToArray();
            passes++;
            for (int i = 0; i < log.Length; i++)
            {
                if (!float.IsFinite(log[i])) throw new TrainingFailedException($"The starting model gives example {part[i] + 1} a log-probability of {log[i]}: its weights are damaged.");
                values[part[i]] = log[i];
            }
        }
        return (values, passes);
    }

    // The number of threads decides the last bits of a sum, and through them the weights that training ends with.
    private static string Key(CausalLanguageModel model, IReadOnlyList<TokenSequence> sequences, string weightsSha256)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"3|{TorchRuntime.Threads}|{model.Precision}|{model.Device.type}|{weightsSha256}|{JsonSerializer.Serialize(model.Config)}|{sequences.Count}|"));
        foreach (TokenSequence sequence in sequences)
        {
            hash.AppendData(MemoryMarshal.AsBytes<int>(new[] { sequence.Tokens.Length, sequence.ScoredFrom }));
            hash.AppendData(MemoryMarshal.AsBytes<int>(sequence.Tokens));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static float[]? Read(string path, string key, int count)
    {
        if (!File.Exists(path)) return null;
        try
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            float[] values = file.ReadFloat32(Tensor);
            bool good = values.Length == count && file.Metadata.GetValueOrDefault("key") == key && file.Metadata.GetValueOrDefault("sha256") == Digest(values);
            return good ? values : null;
        }
        catch (Exception e) when (e is InvalidModelException or UnsupportedModelException or IOException)
        {
            return null;
        }
    }

    private static string Digest(float[] values) => Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes<float>(values)));
}
