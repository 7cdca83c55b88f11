using System.Globalization;
using System.Text.Json;
using LlmOps.Engines.Inference;

namespace LlmOps.Web.Api.OpenAI;

/// <summary>OpenAI's fields as sampling options. Each refusal names the field, as clients show it.</summary>
public static class Sampling
{
    public const int MostChoices = 16;
    private const int MostStops = 16;
    private const int LongestStop = 1000;

    /// <param name="maxTokens">Null means all that the context has room for.</param>
    /// <param name="topLogProbabilities">How many alternatives each token is reported with.</param>
    public static SamplingOptions Options(CompletionFields fields, int? maxTokens, int topLogProbabilities)
    {
        Check(maxTokens is null or >= 1, "max_tokens", "1 or more");
        return new SamplingOptions(maxTokens ?? int.MaxValue)
        {
            Temperature = Within(fields.Temperature, "temperature", 0, 2) ?? 1,
            TopP = fields.TopP is 0 ? Refuse<float>("top_p", "above 0 and at most 1; for the most likely token alone set 'temperature' to 0") : Within(fields.TopP, "top_p", 0, 1) ?? 1,
            TopK = fields.TopK is null or -1 ? 0 : fields.TopK >= 0 ? fields.TopK.Value : Refuse<int>("top_k", "0 or more"),
            MinP = Within(fields.MinP, "min_p", 0, 1) ?? 0,
            RepetitionPenalty = fields.RepetitionPenalty is 0 ? Refuse<float>("repetition_penalty", "above 0") : Within(fields.RepetitionPenalty, "repetition_penalty", 0, 10) ?? 1,
            MinNewTokens = fields.MinTokens is null or >= 0 ? fields.MinTokens ?? 0 : Refuse<int>("min_tokens", "0 or more"),
            PresencePenalty = Within(fields.PresencePenalty, "presence_penalty", -2, 2) ?? 0,
            FrequencyPenalty = Within(fields.FrequencyPenalty, "frequency_penalty", -2, 2) ?? 0,
            Continuations = fields.N is null or (>= 1 and <= MostChoices) ? fields.N ?? 1 : Refuse<int>("n", $"1 to {MostChoices}"),
            // The seed of the API has 64 bits.
            Seed = fields.Seed is { } seed ? unchecked((int)(seed ^ (seed >> 32))) : null,
            Stop = Stops(fields.Stop),
            LogitBias = Biases(fields.LogitBias),
            TopLogProbabilities = topLogProbabilities,
            Grammar = Grammar(fields.ResponseFormat),
        };
    }

    public static void Check(bool allowed, string field, string what)
    {
        if (!allowed)
            Refuse<int>(field, what);
    }

    public static T Refuse<T>(string field, string what) => throw OpenAIException.Invalid($"'{field}' must be {what}.", field);

    private static float? Within(double? value, string field, double least, double most) => value is null || (value >= least && value <= most) ? (float?)value
        : Refuse<float>(field, string.Create(CultureInfo.InvariantCulture, $"between {least} and {most}"));

    private static List<string>? Stops(JsonElement? stop)
    {
        List<string>? texts = stop?.ValueKind switch
        {
            null or JsonValueKind.Null => null,
            JsonValueKind.String => [stop.Value.GetString()!],
            JsonValueKind.Array when stop.Value.EnumerateArray().All(s => s.ValueKind == JsonValueKind.String) => [.. stop.Value.EnumerateArray().Select(s => s.GetString()!)],
            _ => Refuse<List<string>>("stop", "a text or a list of texts"),
        };
        Check(texts is null || (texts.Count <= MostStops && texts.All(t => t.Length is > 0 and <= LongestStop)), "stop", $"at most {MostStops} texts of 1 to {LongestStop} characters");
        return texts;
    }

    private static Dictionary<int, float>? Biases(Dictionary<string, double>? biases)
    {
        if (biases is null)
            return null;
        var found = new Dictionary<int, float>();
        foreach (var (token, bias) in biases)
        {
            Check(int.TryParse(token, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && bias is >= -100 and <= 100, "logit_bias", "token ids with numbers from -100 to 100");
            found[id] = (float)bias;
        }
        return found;
    }

    private static OutputGrammar? Grammar(JsonElement? format)
    {
        if (format is not { ValueKind: not JsonValueKind.Null } given)
            return null;
        if (given.ValueKind != JsonValueKind.Object || !given.TryGetProperty("type", out var type))
            return Refuse<OutputGrammar>("response_format", "an object with a 'type'");
        switch (type.ToString())
        {
            case "text": return null;
            case "json_object": return OutputGrammar.AnyObject();
            case "json_schema":
                if (!given.TryGetProperty("json_schema", out var described) || described.ValueKind != JsonValueKind.Object || !described.TryGetProperty("schema", out var schema))
                    return Refuse<OutputGrammar>("response_format", "a 'json_schema' with a 'schema'");
                return Compile(schema, "response_format");
            default: return Refuse<OutputGrammar>("response_format", "of the type text, json_object or json_schema");
        }
    }

    public static OutputGrammar Compile(JsonElement schema, string field)
    {
        try
        {
            return OutputGrammar.FromSchema(schema);
        }
        catch (ArgumentException e)
        {
            throw OpenAIException.Invalid($"The schema in '{field}' cannot be enforced: {e.Message}", field);
        }
    }
}
