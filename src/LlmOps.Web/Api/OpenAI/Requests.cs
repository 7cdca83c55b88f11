using System.Text.Json;

namespace LlmOps.Web.Api.OpenAI;

/// <summary>What both kinds of completion take. Fields that are not listed are ignored, as OpenAI's own server and vLLM do.</summary>
public abstract record CompletionFields
{
    public string? Model { get; init; }
    public int? MaxTokens { get; init; }
    public double? Temperature { get; init; }
    public double? TopP { get; init; }
    public int? TopK { get; init; }
    public double? MinP { get; init; }
    public double? RepetitionPenalty { get; init; }
    public int? MinTokens { get; init; }
    public int? N { get; init; }
    public JsonElement? Stop { get; init; }
    public long? Seed { get; init; }
    public double? PresencePenalty { get; init; }
    public double? FrequencyPenalty { get; init; }
    public Dictionary<string, double>? LogitBias { get; init; }
    public bool? Stream { get; init; }
    public StreamOptions? StreamOptions { get; init; }
    public JsonElement? ResponseFormat { get; init; }

    /// <summary>Requests of the same user go to the same revision of a deployment.</summary>
    public string? User { get; init; }
}

public sealed record StreamOptions(bool? IncludeUsage = null);

public sealed record ChatCompletionRequest : CompletionFields
{
    public JsonElement? Messages { get; init; }
    public int? MaxCompletionTokens { get; init; }
    public bool? Logprobs { get; init; }
    public int? TopLogprobs { get; init; }
    public JsonElement? Tools { get; init; }
    public JsonElement? ToolChoice { get; init; }

    /// <summary>Further variables of the model's chat template, as vLLM takes them.</summary>
    public Dictionary<string, JsonElement>? ChatTemplateKwargs { get; init; }
}

public sealed record CompletionRequest : CompletionFields
{
    public JsonElement? Prompt { get; init; }
    public int? Logprobs { get; init; }
    public bool? Echo { get; init; }
    public string? Suffix { get; init; }
    public int? BestOf { get; init; }
}

public sealed record EmbeddingRequest(string? Model = null, JsonElement? Input = null, string? EncodingFormat = null, int? Dimensions = null, string? User = null);

public sealed record TokenizeRequest(string? Model = null, string? Prompt = null, JsonElement? Messages = null, bool? AddSpecialTokens = null, bool? ReturnTokenStrs = null);

public sealed record DetokenizeRequest(string? Model = null, int[]? Tokens = null);

public sealed record ScoreRequest(string? Model = null, [property: System.Text.Json.Serialization.JsonPropertyName("text_1")] JsonElement? Text1 = null, [property: System.Text.Json.Serialization.JsonPropertyName("text_2")] JsonElement? Text2 = null);

public sealed record RerankRequest(string? Model = null, string? Query = null, JsonElement? Documents = null, int? TopN = null, bool? ReturnDocuments = null);
