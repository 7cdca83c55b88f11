using System.Diagnostics;
using System.Numerics.Tensors;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.Checkpoints;

/// <summary>
/// Writes a Hugging Face folder whose weights contain an adapter: W + s·B·A, in single precision, cast back to the base's types, tensor by tensor. A tied
/// output head is untied when the adapter changes only one of its two uses.
/// </summary>
public sealed record LoraMerge
{
    /// <summary>Merges an adapter into its base.</summary>
    /// <param name="baseFolder">config.json, weights (one file or shards), tokenizer.</param>
    /// <param name="adapterFolder">adapter_config.json and adapter_model.safetensors.</param>
    /// <param name="targetFolder">Appears under its name only when complete.</param>
    /// <param name="progress">Share of the tensors written, 0 to 1.</param>
    /// <param name="ct">Stops between two tensors; nothing is left behind.</param>
    /// <exception cref="InvalidModelException">Adapter and base do not fit, a tensor is damaged or not finite; the message names it.</exception>
    /// <exception cref="UnsupportedModelException">The adapter's kind or an option is not supported, or the base is quantized.</exception>
    public LoraMergeReport Run(string baseFolder, string adapterFolder, string targetFolder, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        var clock = Stopwatch.StartNew();
        using var adapter = LoraAdapterFile.Open(adapterFolder);
        using var weights = CheckpointWeights.Open(baseFolder);
        var plan = new LoraPlan(baseFolder, weights.Tensors, adapter);
        using var staged = new StagedFolder(baseFolder, targetFolder);
        staged.CopyAllButWeights(baseFolder);
        if (plan.Untied)
            Untie(staged.Path);

        var names = weights.Tensors.Keys.Where(n => !plan.Untied || n != LoraPlan.Head).Concat(plan.Untied ? [LoraPlan.Head] : []).ToList();
        string baseHash = Sha256(baseFolder, CheckpointWeights.FileName), adapterHash = Sha256(adapterFolder, LoraAdapterFile.WeightsFileName);
        var largest = 0.0;
        var written = 0;
        SafetensorsWriter.Write(Path.Combine(staged.Path, CheckpointWeights.FileName), names.Select(name =>
        {
            var source = name == LoraPlan.Head && plan.Untied ? plan.HeadSource! : name;
            var entry = weights.Tensors[source];
            return new TensorSource(name, entry.Type, entry.Shape, stream =>
            {
                ct.ThrowIfCancellationRequested();
                if (plan.Replaced.TryGetValue(name, out var stored))
                    Write(stream, name, adapter.ReadFloat32(stored), entry.Type);
                else if (plan.Merged.TryGetValue(name, out var target))
                {
                    var (merged, change) = Merge(weights.ReadFloat32(source), target, adapter);
                    largest = Math.Max(largest, change);
                    Write(stream, name, merged, entry.Type);
                }
                else
                    stream.Write(weights.Bytes(source));
                progress?.Report(++written / (double)names.Count);
            });
        }), new Dictionary<string, string> { ["format"] = "pt", ["llmops.base_sha256"] = baseHash, ["llmops.adapter_sha256"] = adapterHash });
        SafetensorsFile.Open(Path.Combine(staged.Path, CheckpointWeights.FileName)).Dispose();
        var mergedHash = Sha256(staged.Path, CheckpointWeights.FileName);
        staged.Commit();
        return new(plan.Merged.Count, plan.Replaced.Count, plan.Untied, largest, baseHash, adapterHash, mergedHash, clock.Elapsed.TotalSeconds);
    }

    private static (float[] Merged, double Change) Merge(float[] weights, LoraTarget target, LoraAdapterFile adapter)
    {
        var before = weights.AsSpan().ToArray();
        LoraUpdate.Apply(weights, target, adapter.ReadFloat32(target.A), adapter.ReadFloat32(target.B), target.Magnitude is null ? null : adapter.ReadFloat32(target.Magnitude),
            inputsFirst: target.IsEmbedding || adapter.Settings.FanInFanOut);
        var norm = TensorPrimitives.Norm<float>(before);
        return (weights, norm == 0 ? 0 : TensorPrimitives.Distance<float>(before, weights) / norm);
    }

    private static void Write(Stream stream, string name, float[] values, TensorType type)
    {
        var bytes = FloatCast.ToBytes(values, type);
        // Looked at after the cast: a value may fit in 32 bits and not in 16.
        if (!FloatCast.IsFinite(bytes, type))
            throw new InvalidModelException($"Merging gave NaN or infinity in tensor '{name}' ({type.HeaderName()}).");
        stream.Write(bytes);
    }

    private static void Untie(string folder)
    {
        var path = Path.Combine(folder, ModelConfig.FileName);
        var config = JsonNode.Parse(File.ReadAllBytes(path))!.AsObject();
        config["tie_word_embeddings"] = false;
        AtomicFile.WriteText(path, config.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
    }

    // One file's own digest; of several, the digest of their contents in order of name.
    private static string Sha256(string folder, string name)
    {
        var whole = Path.Combine(folder, name);
        IEnumerable<string> files = File.Exists(whole) ? [whole] : Directory.GetFiles(folder, "*.safetensors").Where(f => Path.GetFileName(f) != LoraAdapterFile.WeightsFileName).Order(StringComparer.Ordinal);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        foreach (var file in files)
        {
            using var stream = File.OpenRead(file);
            for (int read; (read = stream.Read(buffer)) > 0;)
                hash.AppendData(buffer, 0, read);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}

/// <summary>What a merge did.</summary>
/// <param name="Merged">Tensors that got W + s·B·A.</param>
/// <param name="Replaced">Tensors whose values came from the adapter whole: trained biases, modules_to_save.</param>
/// <param name="Untied">Whether the result has an output head of its own, which the base shared with the embedding.</param>
/// <param name="LargestChange">Largest ‖change‖ / ‖weights‖ of a merged tensor.</param>
/// <param name="BaseSha256">Digest of the base's weights: of the file, or of all shards in order of name.</param>
/// <param name="AdapterSha256">Digest of adapter_model.safetensors.</param>
/// <param name="MergedSha256">Digest of the written model.safetensors.</param>
/// <param name="Seconds">Wall-clock time.</param>
public sealed record LoraMergeReport(int Merged, int Replaced, bool Untied, double LargestChange, string BaseSha256, string AdapterSha256, string MergedSha256, double Seconds);
