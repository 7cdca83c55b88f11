using System.Security.Cryptography;
using System.Text.Json;
using LlmOps.Engines;
using LlmOps.Engines.Checkpoints;
using LlmOps.Training.Architectures;

namespace LlmOps.Training;

/// <summary>Reads and writes Hugging Face model folders.</summary>
internal static class ModelFolder
{
    /// <summary>Loads config.json and model.safetensors, whatever float type they are stored in.</summary>
    /// <exception cref="InvalidModelException">A file or tensor is missing or has another shape than config.json says.</exception>
    public static CausalLanguageModel Load(string folder, bool trainable)
    {
        using CheckpointFolder checkpoint = CheckpointFolder.Open(folder);
        return Filled(checkpoint, new CausalLanguageModel(checkpoint.Config, trainable));
    }

    /// <summary>Loads a causal model with a reward's head of zeros beside it, or a reward model with its head.</summary>
    /// <exception cref="InvalidModelException">As for <see cref="Load"/>.</exception>
    public static CausalLanguageModel LoadScored(string folder, bool trainable)
    {
        using CheckpointFolder checkpoint = ScoreHead.IsIn(folder) ? CheckpointFolder.OpenScored(folder) : CheckpointFolder.Open(folder);
        return Filled(checkpoint, new CausalLanguageModel(checkpoint.Config, trainable, [new ParameterShape(ScoreHead.TensorName, [1, checkpoint.Config.HiddenSize], Decays: true)]));
    }

    private static CausalLanguageModel Filled(CheckpointFolder checkpoint, CausalLanguageModel model)
    {
        // GPT-2's base model is stored without the prefix of the causal one; the order is the same. A head comes after all of them.
        var stored = DecoderTensors.Of(checkpoint.Config, checkpoint.Weights.Tensors).Expected();
        foreach (var (shape, source) in model.Parameters.Shapes.Zip(stored)) checkpoint.Weights.ReadFloat32(source.Name).CopyTo(model.Parameters.ValuesOf(shape.Name));
        if (checkpoint.Weights.Tensors.ContainsKey(ScoreHead.TensorName)) checkpoint.Weights.ReadFloat32(ScoreHead.TensorName).CopyTo(model.Parameters.ValuesOf(ScoreHead.TensorName));
        return model;
    }

    /// <summary>Writes config.json, generation_config.json and model.safetensors (last, so that its presence means the folder is complete).</summary>
    /// <returns>SHA-256 of model.safetensors, lower-case hex.</returns>
    public static string Save(CausalLanguageModel model, string folder)
    {
        Directory.CreateDirectory(folder);
        model.Config.Write(folder);
        var generation = new Dictionary<string, object>
        {
            ["bos_token_id"] = model.Config.BosTokenId, ["eos_token_id"] = model.Config.EosTokenId, ["pad_token_id"] = model.Config.PadTokenId,
            ["do_sample"] = false, ["max_new_tokens"] = 64,
        };
        File.WriteAllText(Path.Combine(folder, "generation_config.json"), JsonSerializer.Serialize(generation, JsonIndented) + "\n");
        string weights = Path.Combine(folder, "model.safetensors");
        SafetensorsWriter.WriteFloat32(
            weights, model.Parameters.Shapes.Select(s => (s.Name, s.Shape, model.Parameters.ValuesOf(s.Name).ToArray())),
            new Dictionary<string, string> { ["format"] = "pt" });
        return Sha256(weights);
    }

    /// <summary>Copies the tokenizer's files as they are.</summary>
    public static void CopyTokenizer(string source, string target)
    {
        string[] vocabularies = ["tokenizer.json", "tokenizer.model", "spiece.model"];
        if (!vocabularies.Any(name => File.Exists(Path.Combine(source, name)))) throw new InvalidModelException($"The model folder {source} holds no tokenizer.json.");
        Directory.CreateDirectory(target);
        foreach (string name in vocabularies.Concat(["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"]))
        {
            string file = Path.Combine(source, name);
            if (File.Exists(file)) File.Copy(file, Path.Combine(target, name), overwrite: true);
        }
    }

    /// <summary>Digest of a folder's weights, lower-case hex: the one file's, or that of the list of all shards' digests.</summary>
    public static string WeightsSha256(string folder)
    {
        string[] files = [.. Directory.GetFiles(folder, "*.safetensors").Order(StringComparer.Ordinal)];
        return files.Length == 1 ? Sha256(files[0]) : Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(string.Join(',', files.Select(Sha256)))));
    }

    /// <summary>Digest of a file, lower-case hex.</summary>
    public static string Sha256(string path)
    {
        using FileStream stream = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    private static readonly JsonSerializerOptions JsonIndented = new() { WriteIndented = true };
}
