using System.Text.Json;

namespace LlmOps.Engines.Checkpoints;

/// <summary>How hidden states of a text's tokens become one vector.</summary>
public enum PoolingMode
{
    /// <summary>Mean over the text's tokens.</summary>
    Mean,
    /// <summary>The first token's state.</summary>
    Cls,
    /// <summary>Largest value of each column over the text's tokens.</summary>
    Max,
}

/// <summary>The part of a sentence-transformers folder behind the encoder: <c>modules.json</c>, <c>1_Pooling/config.json</c>, <c>sentence_bert_config.json</c>.</summary>
/// <param name="Mode">Pooling over tokens.</param>
/// <param name="Normalize">Whether a vector is divided by its length.</param>
/// <param name="MaxSequenceLength">Texts are cut to this many tokens; null leaves it to the encoder's positions.</param>
public sealed record SentencePooling(PoolingMode Mode, bool Normalize, int? MaxSequenceLength = null)
{
    private static readonly (string Flag, PoolingMode? Mode)[] Flags =
    [
        ("pooling_mode_mean_tokens", PoolingMode.Mean), ("pooling_mode_cls_token", PoolingMode.Cls), ("pooling_mode_max_tokens", PoolingMode.Max),
        ("pooling_mode_mean_sqrt_len_tokens", null), ("pooling_mode_weightedmean_tokens", null), ("pooling_mode_lasttoken", null),
    ];

    /// <summary>Reads the folder; null when it says nothing about pooling.</summary>
    /// <exception cref="InvalidModelException">A file is not JSON or names another folder.</exception>
    /// <exception cref="UnsupportedModelException">A module or pooling mode is not computed here; the message names it.</exception>
    public static SentencePooling? Read(string folder)
    {
        var (path, normalize) = ReadModules(folder);
        if (path is null || !File.Exists(Path.Combine(folder, path, "config.json")))
            return null;
        var length = File.Exists(Path.Combine(folder, "sentence_bert_config.json"))
            ? ConfigJson.Open(folder, "sentence_bert_config.json").Int("max_seq_length", 0) : 0;
        return new(ReadMode(ConfigJson.Open(folder, Path.Combine(path, "config.json"))), normalize, length > 0 ? length : null);
    }

    private static (string? PoolingPath, bool Normalize) ReadModules(string folder)
    {
        const string file = "modules.json";
        if (!File.Exists(Path.Combine(folder, file)))
            return ("1_Pooling", false);
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, file)));
            var (path, normalize) = ((string?)null, false);
            foreach (var module in document.RootElement.EnumerateArray())
            {
                var type = module.GetProperty("type").GetString() ?? "";
                switch (type.Split('.')[^1])
                {
                    case "Transformer":
                        break;
                    case "Pooling" when path is null && !normalize:
                        path = module.GetProperty("path").GetString();
                        if (path is null || path != Path.GetFileName(path) || path is "" or "." or "..")
                            throw new InvalidModelException($"{file}: path '{path}' of the pooling is no folder name.");
                        break;
                    case "Normalize" when path is not null:
                        normalize = true;
                        break;
                    default:
                        throw new UnsupportedModelException($"{file}: module '{type}' is not supported in this place; supported: Transformer, then Pooling, then Normalize.");
                }
            }
            return (path, normalize);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new InvalidModelException($"{file} is malformed: {e.Message}", e);
        }
    }

    private static PoolingMode ReadMode(ConfigJson json)
    {
        var chosen = Flags.Where(f => json.Bool(f.Flag, false)).ToList();
        return chosen is [(_, { } mode)] ? mode : throw new UnsupportedModelException(
            $"Pooling by {(chosen.Count == 0 ? "none of the known modes" : string.Join(" and ", chosen.Select(f => f.Flag)))} is not supported; supported: one of {string.Join(", ", Flags.Where(f => f.Mode is not null).Select(f => f.Flag))}.");
    }
}
