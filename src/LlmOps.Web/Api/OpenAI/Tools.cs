using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Engines.Inference;

namespace LlmOps.Web.Api.OpenAI;

/// <summary>The functions that a request offers, and whether the model has to call one.</summary>
/// <param name="Offered">As the model's template reads them; null when none may be called.</param>
/// <param name="Forced">What the answer has to be when a call is demanded.</param>
public sealed record Tools(JsonElement? Offered, IReadOnlySet<string> Names, OutputGrammar? Forced)
{
    private const int Most = 128;

    public static Tools None { get; } = new(null, new HashSet<string>(), null);

    public static Tools Read(JsonElement? tools, JsonElement? choice)
    {
        if (tools is not { ValueKind: not JsonValueKind.Null } given)
            return Asked(choice) is "auto" or "none" or null ? None : throw OpenAIException.Invalid("'tool_choice' demands a call, and 'tools' offers none.", "tool_choice");
        if (given.ValueKind != JsonValueKind.Array || given.GetArrayLength() > Most)
            return Sampling.Refuse<Tools>("tools", $"a list of at most {Most} functions");
        var functions = new Dictionary<string, JsonElement?>(StringComparer.Ordinal);
        foreach (var (i, tool) in given.EnumerateArray().Index())
        {
            if (tool.ValueKind != JsonValueKind.Object || !tool.TryGetProperty("function", out var function) || function.ValueKind != JsonValueKind.Object || !function.TryGetProperty("name", out var name) || name.ValueKind != JsonValueKind.String)
                return Sampling.Refuse<Tools>($"tools[{i}]", "of the type function, with a 'function' that has a 'name'");
            functions[name.GetString()!] = function.TryGetProperty("parameters", out var parameters) && parameters.ValueKind == JsonValueKind.Object ? parameters : null;
        }
        var asked = Asked(choice) ?? "auto";
        if (functions.Count == 0 || asked == "none")
            return None;
        var forced = asked switch
        {
            "auto" => null,
            "required" => functions,
            _ => functions.TryGetValue(asked, out var one) ? new() { [asked] = one } : throw OpenAIException.Invalid($"'tool_choice' names '{asked}', which 'tools' does not offer.", "tool_choice"),
        };
        return new(given.Clone(), functions.Keys.ToHashSet(StringComparer.Ordinal), forced is null ? null : Sampling.Compile(Calls(forced), "tools"));
    }

    private static string? Asked(JsonElement? choice) => choice switch
    {
        null or { ValueKind: JsonValueKind.Null } => null,
        { ValueKind: JsonValueKind.String } word => word.GetString() is "auto" or "none" or "required" ? word.GetString() : Sampling.Refuse<string>("tool_choice", "auto, none, required or a function"),
        { ValueKind: JsonValueKind.Object } named when named.TryGetProperty("function", out var function) && function.ValueKind == JsonValueKind.Object && function.TryGetProperty("name", out var name) => name.ToString(),
        _ => Sampling.Refuse<string>("tool_choice", "auto, none, required or a function"),
    };

    // One object: the name, then arguments that its schema allows.
    private static JsonElement Calls(Dictionary<string, JsonElement?> functions) => JsonSerializer.SerializeToElement(new JsonObject
    {
        ["anyOf"] = new JsonArray([.. functions.Select(f => (JsonNode)new JsonObject
        {
            ["type"] = "object",
            ["properties"] = new JsonObject { ["name"] = new JsonObject { ["const"] = f.Key }, ["arguments"] = f.Value is { } schema ? JsonNode.Parse(schema.GetRawText()) : new JsonObject { ["type"] = "object" } },
            ["required"] = new JsonArray("name", "arguments"),
            ["additionalProperties"] = false,
        })]),
    });
}

/// <summary>Finds calls in what a model writes: JSON with a name and arguments, bare or between <c>&lt;tool_call&gt;</c> tags; everything else is what it says.</summary>
public sealed class ToolCallReader(Tools tools)
{
    private const string Open = "<tool_call>";
    private const string Close = "</tool_call>";
    private string held = "";
    private bool said, calling;

    /// <summary>Takes the next piece and returns what is certainly no part of a call.</summary>
    public string Push(string text)
    {
        if (tools.Offered is null)
            return text;
        held += text;
        if (calling)
            return "";
        var start = held.TrimStart();
        if (!said && (start.Length == 0 || start[0] is '{' or '['))
        {
            calling = start.Length > 0;
            return "";
        }
        var at = held.IndexOf(Open, StringComparison.Ordinal);
        calling = at >= 0;
        var free = at >= 0 ? at : held.Length - Overlap(held);
        var certain = held[..free];
        held = held[free..];
        if (certain.Trim().Length == 0 && calling)
            return "";
        said |= certain.Trim().Length > 0;
        return certain;
    }

    /// <summary>The calls, or the rest of the text where it turns out to be none.</summary>
    public (string Text, IReadOnlyList<ToolCall> Calls) Finish()
    {
        var calls = tools.Offered is not null && held.Length > 0 ? Parse(held.Trim()) : null;
        return calls is null ? (held, []) : ("", [.. calls.Index().Select(c => new ToolCall(c.Index, $"call_{Guid.NewGuid():N}"[..29], "function", c.Item))]);
    }

    private static int Overlap(string text) => Enumerable.Range(1, Open.Length - 1).LastOrDefault(n => text.EndsWith(Open[..n], StringComparison.Ordinal));

    private List<CalledFunction>? Parse(string text)
    {
        var calls = new List<CalledFunction>();
        var parts = text.StartsWith(Open, StringComparison.Ordinal) ? text.Split(Open, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(p => p.Split(Close)[0]) : [text];
        foreach (var part in parts)
            try
            {
                using var json = JsonDocument.Parse(part);
                foreach (var call in json.RootElement.ValueKind == JsonValueKind.Array ? json.RootElement.EnumerateArray().ToList() : [json.RootElement])
                    if (Call(call) is { } found)
                        calls.Add(found);
                    else
                        return null;
            }
            catch (JsonException)
            {
                return null;
            }
        return calls.Count > 0 ? calls : null;
    }

    private CalledFunction? Call(JsonElement call)
    {
        if (call.ValueKind != JsonValueKind.Object || !call.TryGetProperty("name", out var name) || name.ValueKind != JsonValueKind.String || !tools.Names.Contains(name.GetString()!))
            return null;
        return !call.TryGetProperty("arguments", out var arguments) && !call.TryGetProperty("parameters", out arguments) ? new(name.GetString(), "{}")
            : new(name.GetString(), arguments.ValueKind == JsonValueKind.String ? arguments.GetString()! : JsonSerializer.Serialize(arguments, OpenAIErrors.Json));
    }
}
