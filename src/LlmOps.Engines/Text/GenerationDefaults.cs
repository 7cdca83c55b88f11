using System.Text.Json;
using LlmOps.Engines.Checkpoints;

namespace LlmOps.Engines.Text;

/// <summary>How a model's makers want it to generate: <c>generation_config.json</c>. Null is not said there.</summary>
/// <param name="DoSample">Whether tokens are drawn rather than taken greedily.</param>
/// <param name="Temperature">Divides the logits before drawing.</param>
/// <param name="TopK">Draw among the k most likely tokens; 0 means all.</param>
/// <param name="TopP">Draw among the smallest set of tokens whose probabilities reach p.</param>
/// <param name="MinP">Leave out tokens below this share of the most likely one's probability.</param>
/// <param name="RepetitionPenalty">Above 1 makes tokens that already occurred less likely.</param>
/// <param name="MaxNewTokens">Most tokens to generate.</param>
/// <param name="EosTokenIds">Tokens that end a generation; empty when not said.</param>
/// <param name="BosTokenId">The token that begins a sequence.</param>
/// <param name="PadTokenId">The token that fills batches.</param>
public sealed record GenerationDefaults(bool? DoSample, double? Temperature, int? TopK, double? TopP, double? MinP, double? RepetitionPenalty, int? MaxNewTokens,
    IReadOnlyList<int> EosTokenIds, int? BosTokenId, int? PadTokenId)
{
    private const string FileName = "generation_config.json";

    /// <summary>Nothing said.</summary>
    public static GenerationDefaults None { get; } = new(null, null, null, null, null, null, null, [], null, null);

    /// <summary>Reads a model folder; <see cref="None"/> when the file is absent.</summary>
    /// <exception cref="InvalidModelException">The file is no JSON object, or a setting is of the wrong type or outside of its range; the message names it.</exception>
    public static GenerationDefaults Load(string folder)
    {
        if (!File.Exists(Path.Combine(folder, FileName)))
            return None;
        var json = ConfigJson.Open(folder, FileName);
        return new GenerationDefaults(
            json.Find("do_sample") is null ? null : json.Bool("do_sample", false),
            Number(json, "temperature", v => v >= 0, "0 or more"),
            Whole(json, "top_k", 0),
            Number(json, "top_p", v => v is > 0 and <= 1, "above 0 and at most 1"),
            Number(json, "min_p", v => v is >= 0 and <= 1, "0 to 1"),
            Number(json, "repetition_penalty", v => v > 0, "above 0"),
            Whole(json, "max_new_tokens", 1),
            Ids(json, "eos_token_id"),
            Whole(json, "bos_token_id", 0),
            Whole(json, "pad_token_id", 0));
    }

    private static double? Number(ConfigJson json, string name, Func<double, bool> inRange, string range)
    {
        if (json.Find(name) is null)
            return null;
        var value = json.Double(name, 0);
        return double.IsFinite(value) && inRange(value) ? value : throw Outside(json, name, range);
    }

    private static int? Whole(ConfigJson json, string name, int least)
    {
        if (json.Find(name) is null)
            return null;
        var value = json.Int(name);
        return value >= least ? value : throw Outside(json, name, $"{least} or more");
    }

    // One id or a list of them.
    private static List<int> Ids(ConfigJson json, string name) => json.Find(name) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } list => [.. list.EnumerateArray().Select(v =>
            v.ValueKind == JsonValueKind.Number && v.TryGetInt32(out var id) && id >= 0 ? id : throw Outside(json, name, "token ids")).Distinct()],
        _ => [Whole(json, name, 0)!.Value],
    };

    private static InvalidModelException Outside(ConfigJson json, string name, string range) =>
        new($"{FileName}: {name} is {json.Find(name)!.Value.GetRawText()}; expected {range}.");
}
