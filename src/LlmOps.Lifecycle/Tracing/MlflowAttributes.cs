using System.Text.Json;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>Names by which MLflow's own spans say what the GenAI conventions say, both ways.</summary>
public static class MlflowAttributes
{
    public const string RequestId = "mlflow.traceRequestId", Inputs = "mlflow.spanInputs", Outputs = "mlflow.spanOutputs", Type = "mlflow.spanType", TokenUsage = "mlflow.chat.tokenUsage", Model = "mlflow.llm.model", Provider = "mlflow.llm.provider";

    /// <summary>Kinds of spans here, and the types there that mean them. The first of a type is what it becomes here.</summary>
    public static IReadOnlyList<(string Kind, string Type)> Types { get; } =
    [
        ("chat", "CHAT_MODEL"), ("text_completion", "LLM"), ("generate_content", "LLM"), ("generation", "LLM"), ("embeddings", "EMBEDDING"), ("retrieval", "RETRIEVER"), ("execute_tool", "TOOL"),
        ("invoke_agent", "AGENT"), ("create_agent", "AGENT"), ("invoke_workflow", "CHAIN"), ("invoke_workflow", "WORKFLOW"), ("ask", "CHAIN"), ("span", "UNKNOWN"),
    ];

    public static string TypeOf(string kind) => Types.FirstOrDefault(t => t.Kind == kind).Type ?? kind.ToUpperInvariant();

    public static bool AreThere(IReadOnlyDictionary<string, object?> attributes) => attributes.ContainsKey(RequestId) || attributes.ContainsKey(Inputs) || attributes.ContainsKey(Type);

    /// <summary>Gives the values the names of the conventions. Those of MLflow's exporters are JSON inside a text.</summary>
    public static void Settle(Dictionary<string, object?> attributes)
    {
        if (!AreThere(attributes))
            return;
        foreach (var key in attributes.Keys.Where(k => k.StartsWith("mlflow.", StringComparison.Ordinal)).ToList())
            attributes[key] = Unquoted(attributes[key]);
        attributes.Remove(RequestId);
        if (attributes.TryGetValue(Type, out var type) && type is string { Length: > 0 and <= 100 } word)
            attributes.TryAdd(GenAiNames.Operation, Types.FirstOrDefault(t => t.Type == word).Kind ?? word.ToLowerInvariant());
        Move(attributes, Inputs, GenAiNames.InputMessages);
        Move(attributes, Outputs, GenAiNames.OutputMessages);
        Move(attributes, Model, GenAiNames.RequestModel);
        Move(attributes, Provider, GenAiNames.Provider);
        if (AttributeText.Of(attributes.GetValueOrDefault(TokenUsage)) is { } usage && Parsed(usage) is { ValueKind: JsonValueKind.Object } counts)
            foreach (var (name, canonical) in new[] { ("input_tokens", GenAiNames.InputTokens), ("output_tokens", GenAiNames.OutputTokens), ("cache_read_input_tokens", GenAiNames.CacheRead), ("cache_creation_input_tokens", GenAiNames.CacheWrite) })
                if (counts.TryGetProperty(name, out var count) && count.ValueKind == JsonValueKind.Number && count.TryGetInt64(out var number))
                    attributes.TryAdd(canonical, number);
    }

    /// <summary>What a text holds that is a JSON string; any other value as it is.</summary>
    public static object? Unquoted(object? value) => value is string { Length: > 1 } text && text[0] == '"' && text[^1] == '"' && Parsed(text) is { ValueKind: JsonValueKind.String } inner ? inner.GetString() : value;

    /// <summary>Null for what is no JSON, or holds a text that no database stores.</summary>
    public static JsonElement? Parsed(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text, new() { MaxDepth = 64 });
            var root = document.RootElement.Clone();
            if (root.ValueKind == JsonValueKind.String && !TrackingLimits.IsStorable(root.GetString()!))
                return null;
            return root;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static void Move(Dictionary<string, object?> attributes, string from, string to)
    {
        if (attributes.Remove(from, out var value) && value is not null)
            attributes.TryAdd(to, value);
    }
}
