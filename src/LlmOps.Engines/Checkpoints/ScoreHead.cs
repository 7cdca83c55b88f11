using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmOps.Engines.Checkpoints;

/// <summary>
/// The head of a reward model as Hugging Face's <c>…ForSequenceClassification</c> classes store it: <c>score.weight</c> [1, hidden], which turns the hidden state of
/// the last token into one number, and <c>num_labels</c> 1 in config.json.
/// </summary>
public static class ScoreHead
{
    /// <summary>Name of the tensor.</summary>
    public const string TensorName = "score.weight";

    private const string ClassSuffix = "ForSequenceClassification";

    /// <summary>Whether a checkpoint folder says that it scores texts; false when there is no config.json.</summary>
    /// <exception cref="InvalidModelException">config.json is no JSON object.</exception>
    public static bool IsIn(string folder)
    {
        var path = Path.Combine(folder, ModelConfig.FileName);
        return File.Exists(path) && Read(path)["architectures"] is JsonArray classes && classes.Any(c => c is JsonValue v && v.TryGetValue(out string? name) && name.EndsWith(ClassSuffix, StringComparison.Ordinal));
    }

    /// <summary>Makes the config.json of a causal model that of a reward model.</summary>
    public static void Mark(string folder, ModelConfig config)
    {
        var path = Path.Combine(folder, ModelConfig.FileName);
        var json = Read(path);
        json["architectures"] = new JsonArray(config.Family.Architecture.Replace("ForCausalLM", ClassSuffix, StringComparison.Ordinal).Replace("LMHeadModel", ClassSuffix, StringComparison.Ordinal));
        json["num_labels"] = 1;
        json["id2label"] = new JsonObject { ["0"] = "LABEL_0" };
        json["label2id"] = new JsonObject { ["LABEL_0"] = 0 };
        File.WriteAllText(path, json.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n");
    }

    private static JsonObject Read(string path)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllText(path)) as JsonObject ?? throw new InvalidModelException("config.json is no JSON object.");
        }
        catch (JsonException e)
        {
            throw new InvalidModelException($"config.json is no JSON: {e.Message}", e);
        }
    }
}
