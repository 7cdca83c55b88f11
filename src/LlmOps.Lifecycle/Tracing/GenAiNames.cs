using System.Collections.Frozen;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>The names of the GenAI conventions, and the older or foreign names that mean the same. A value under its own name always wins over one under another.</summary>
public static class GenAiNames
{
    public const string Operation = "gen_ai.operation.name", Provider = "gen_ai.provider.name", RequestModel = "gen_ai.request.model", ResponseModel = "gen_ai.response.model",
        InputTokens = "gen_ai.usage.input_tokens", OutputTokens = "gen_ai.usage.output_tokens", CacheRead = "gen_ai.usage.cache_read.input_tokens", CacheWrite = "gen_ai.usage.cache_write.input_tokens",
        Reasoning = "gen_ai.usage.reasoning.output_tokens", FirstChunk = "gen_ai.response.time_to_first_chunk", Conversation = "gen_ai.conversation.id",
        InputMessages = "gen_ai.input.messages", OutputMessages = "gen_ai.output.messages", Query = "gen_ai.retrieval.query.text", Documents = "gen_ai.retrieval.documents",
        ToolArguments = "gen_ai.tool.call.arguments", ToolResult = "gen_ai.tool.call.result", User = "user.id";

    /// <summary>For each name, what else is taken for it, the first that is there.</summary>
    public static IReadOnlyDictionary<string, string[]> Aliases { get; } = new Dictionary<string, string[]>
    {
        [InputTokens] = ["gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "llm.usage.prompt_tokens"],
        [OutputTokens] = ["gen_ai.usage.completion_tokens", "llm.token_count.completion", "llm.usage.completion_tokens"],
        [CacheRead] = [.. Usage("cache_read_input_tokens", "cache_read_tokens", "input_cached_tokens", "details.cache_read_tokens"), "llm.token_count.prompt_details.cache_read"],
        [CacheWrite] = [.. Usage("cache_creation.input_tokens", "cache_creation_input_tokens", "cache_write_tokens"), "llm.token_count.prompt_details.cache_write"],
        [Reasoning] = ["gen_ai.usage.reasoning_tokens", "llm.token_count.completion_details.reasoning"],
        [Provider] = ["gen_ai.system", "llm.system"],
        [RequestModel] = ["llm.model_name"],
        [Conversation] = ["session.id"],
        [InputMessages] = ["gen_ai.prompt", "input.value"],
        [OutputMessages] = ["gen_ai.completion", "output.value"],
        [User] = ["enduser.id", "user.name"],
    };

    private static readonly FrozenSet<string> Others = Aliases.Values.SelectMany(a => a).ToFrozenSet();

    /// <summary>Operations that call a model and are paid for. Agents and workflows repeat the tokens of the calls inside them.</summary>
    public static bool IsInference(string? operation) => operation is null or "chat" or "generate_content" or "text_completion" or "embeddings";

    /// <summary>OpenInference says the kind of a span in a word of its own.</summary>
    public static string? OperationOf(string? openInferenceKind) => openInferenceKind?.ToUpperInvariant() switch
    {
        "LLM" => "chat", "EMBEDDING" => "embeddings", "RETRIEVER" => "retrieval", "TOOL" => "execute_tool", "AGENT" => "invoke_agent", "CHAIN" => "invoke_workflow", _ => null,
    };

    /// <summary>Moves every value to its own name.</summary>
    public static void Settle(Dictionary<string, object?> attributes)
    {
        if (HasOthers(attributes))
            foreach (var (name, aliases) in Aliases)
                foreach (var alias in aliases)
                    if (attributes.Remove(alias, out var value) && value is not null)
                        attributes.TryAdd(name, value);
        if (attributes.TryGetValue("openinference.span.kind", out var kind) && OperationOf(kind as string) is { } operation)
            attributes.TryAdd(Operation, operation);
    }

    private static bool HasOthers(Dictionary<string, object?> attributes)
    {
        foreach (var name in attributes.Keys)
            if (Others.Contains(name))
                return true;
        return false;
    }

    private static IEnumerable<string> Usage(params string[] names) => names.SelectMany(n => new[] { "gen_ai.usage." + n, n, "llm.usage." + n });
}
