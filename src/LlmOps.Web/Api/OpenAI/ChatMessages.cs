using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmOps.Web.Api.OpenAI;

/// <summary>OpenAI's messages as chat templates read them: text instead of parts, <c>system</c> for <c>developer</c>, arguments of calls as values instead of text.</summary>
public static class ChatMessages
{
    private const int Most = 2000;

    public static JsonElement Read(JsonElement? messages)
    {
        if (messages is not { ValueKind: JsonValueKind.Array } given || given.GetArrayLength() is 0 or > Most)
            return Sampling.Refuse<JsonElement>("messages", $"a list of 1 to {Most} messages");
        var read = new JsonArray();
        foreach (var (i, message) in given.EnumerateArray().Index())
            read.Add(Message(message, $"messages[{i}]"));
        return JsonSerializer.SerializeToElement(read);
    }

    /// <summary>What the last message says, for the trace.</summary>
    public static string LastText(JsonElement messages) => messages[messages.GetArrayLength() - 1].GetProperty("content").GetString() ?? "";

    private static JsonObject Message(JsonElement message, string field)
    {
        if (message.ValueKind != JsonValueKind.Object || !message.TryGetProperty("role", out var role) || role.ValueKind != JsonValueKind.String)
            return Sampling.Refuse<JsonObject>(field, "an object with a 'role'");
        var name = role.GetString()!;
        if (name is not ("system" or "developer" or "user" or "assistant" or "tool" or "function"))
            return Sampling.Refuse<JsonObject>($"{field}.role", "system, developer, user, assistant or tool");
        var calls = message.TryGetProperty("tool_calls", out var made) && made.ValueKind == JsonValueKind.Array ? made : (JsonElement?)null;
        var read = new JsonObject { ["role"] = name == "developer" ? "system" : name, ["content"] = Content(message, $"{field}.content", mayLack: name == "assistant") };
        if (calls is { } list)
            read["tool_calls"] = new JsonArray([.. list.EnumerateArray().Select(c => Call(c, $"{field}.tool_calls"))]);
        foreach (var other in new[] { "name", "tool_call_id" })
            if (message.TryGetProperty(other, out var value) && value.ValueKind == JsonValueKind.String)
                read[other] = value.GetString();
        return read;
    }

    private static string Content(JsonElement message, string field, bool mayLack)
    {
        if (!message.TryGetProperty("content", out var content) || content.ValueKind == JsonValueKind.Null)
            return mayLack ? "" : Sampling.Refuse<string>(field, "a text");
        if (content.ValueKind == JsonValueKind.String)
            return content.GetString()!;
        if (content.ValueKind != JsonValueKind.Array)
            return Sampling.Refuse<string>(field, "a text or a list of parts");
        var texts = new List<string>();
        foreach (var part in content.EnumerateArray())
        {
            var type = part.ValueKind == JsonValueKind.Object && part.TryGetProperty("type", out var kind) ? kind.ToString() : "";
            if (type is not ("text" or "refusal") || !part.TryGetProperty(type, out var text) || text.ValueKind != JsonValueKind.String)
                throw OpenAIException.Invalid($"'{field}' has a part of the type '{type}'. The models here read text; leave pictures, sound and files out.", field);
            texts.Add(text.GetString()!);
        }
        return string.Join('\n', texts);
    }

    private static JsonNode Call(JsonElement call, string field)
    {
        if (call.ValueKind != JsonValueKind.Object || !call.TryGetProperty("function", out var function) || function.ValueKind != JsonValueKind.Object || !function.TryGetProperty("name", out var name))
            return Sampling.Refuse<JsonNode>(field, "a list of calls, each with a 'function' that has a 'name'");
        return new JsonObject
        {
            ["id"] = call.TryGetProperty("id", out var id) ? id.ToString() : "",
            ["type"] = "function",
            ["function"] = new JsonObject { ["name"] = name.ToString(), ["arguments"] = Arguments(function) },
        };
    }

    private static JsonNode? Arguments(JsonElement function)
    {
        if (!function.TryGetProperty("arguments", out var arguments))
            return new JsonObject();
        if (arguments.ValueKind != JsonValueKind.String)
            return JsonNode.Parse(arguments.GetRawText());
        try
        {
            return JsonNode.Parse(arguments.GetString()!);
        }
        catch (JsonException)
        {
            return JsonValue.Create(arguments.GetString());
        }
    }
}
