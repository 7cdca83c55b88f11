using System.Text.Json.Serialization;
using LlmOps.Web.Serving;

namespace LlmOps.Web.Api.OpenAI;

public sealed record PromptTokensDetails(int CachedTokens);

public sealed record CompletionTokensDetails(int ReasoningTokens);

public sealed record Usage(int PromptTokens, int CompletionTokens, int TotalTokens)
{
    public PromptTokensDetails PromptTokensDetails { get; init; } = new(0);
    public CompletionTokensDetails CompletionTokensDetails { get; init; } = new(0);

    public static Usage Of(int prompt, int completion, int cached) => new(prompt, completion, prompt + completion) { PromptTokensDetails = new(cached) };

    public static Usage operator +(Usage a, Usage b) =>
        Of(a.PromptTokens + b.PromptTokens, a.CompletionTokens + b.CompletionTokens, a.PromptTokensDetails.CachedTokens + b.PromptTokensDetails.CachedTokens);
}

public sealed record CalledFunction([property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Name, string Arguments);

/// <param name="Index">Only in a stream.</param>
public sealed record ToolCall([property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] int? Index, string Id, string Type, CalledFunction Function);

public sealed record AnswerMessage(string Role, string? Content)
{
    public string? Refusal { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<ToolCall>? ToolCalls { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<object>? Annotations { get; init; }
}

public sealed record TopLogProbability(string Token, double Logprob, int[] Bytes);

public sealed record ContentLogProbability(string Token, double Logprob, int[] Bytes, IReadOnlyList<TopLogProbability> TopLogprobs);

public sealed record ChatLogProbabilities(IReadOnlyList<ContentLogProbability> Content, IReadOnlyList<ContentLogProbability>? Refusal = null);

public sealed record ChatChoice(int Index, AnswerMessage Message, ChatLogProbabilities? Logprobs, string FinishReason);

/// <summary>A whole answer. <see cref="Citations"/> is this product's own field: a RAG deployment says there where its sentences come from.</summary>
public sealed record ChatCompletion(string Id, long Created, string Model, IReadOnlyList<ChatChoice> Choices, Usage Usage, string SystemFingerprint)
{
    public string Object => "chat.completion";

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<AnswerCitation>? Citations { get; init; }
}

public sealed record Delta
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Role { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Content { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<ToolCall>? ToolCalls { get; init; }
}

public sealed record ChunkChoice(int Index, Delta Delta, ChatLogProbabilities? Logprobs, string? FinishReason);

/// <summary>A piece of a stream; the one with the usage has an empty list of choices.</summary>
public sealed record ChatChunk(string Id, long Created, string Model, IReadOnlyList<ChunkChoice> Choices, string SystemFingerprint)
{
    public string Object => "chat.completion.chunk";

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Usage? Usage { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<AnswerCitation>? Citations { get; init; }
}

public sealed record TextLogProbabilities(List<string> Tokens, List<double?> TokenLogprobs, List<IReadOnlyDictionary<string, double>?> TopLogprobs, List<int> TextOffset);

public sealed record TextChoice(int Index, string Text, TextLogProbabilities? Logprobs, string? FinishReason);

public sealed record TextCompletion(string Id, long Created, string Model, IReadOnlyList<TextChoice> Choices, string SystemFingerprint)
{
    public string Object => "text_completion";

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Usage? Usage { get; init; }
}

public sealed record ServedModelCard(string Id, long Created, string OwnedBy = "llmops")
{
    public string Object => "model";
}

/// <param name="Embedding">A list of numbers, or base 64 of 32-bit floats in little-endian order.</param>
public sealed record EmbeddingRow(int Index, object Embedding)
{
    public string Object => "embedding";
}
