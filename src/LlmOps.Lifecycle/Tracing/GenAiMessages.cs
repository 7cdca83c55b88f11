using System.Globalization;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>Conversations that older instrumentation spreads over events, or over attributes with numbers in their names, brought back into one list.</summary>
public static class GenAiMessages
{
    private static readonly (string Prefix, string Part, string Name)[] Numbered =
    [
        ("gen_ai.prompt.", "", GenAiNames.InputMessages), ("gen_ai.completion.", "", GenAiNames.OutputMessages),
        ("llm.input_messages.", "message.", GenAiNames.InputMessages), ("llm.output_messages.", "message.", GenAiNames.OutputMessages),
        ("retrieval.documents.", "document.", GenAiNames.Documents),
    ];

    public static void Gather(Dictionary<string, object?> attributes, IReadOnlyList<ReceivedEvent> events)
    {
        foreach (var (prefix, part, name) in Numbered)
            if (Take(attributes, prefix, part) is { } list)
                attributes.TryAdd(name, list);
        if (events.Count == 0)
            return;
        List<object?> input = [], output = [];
        foreach (var e in events)
            switch (e.Name)
            {
                case "gen_ai.system.message" or "gen_ai.user.message" or "gen_ai.assistant.message" or "gen_ai.tool.message":
                    input.Add(Message(e, e.Name.Split('.')[1]));
                    break;
                case "gen_ai.choice":
                    output.Add(Message(e, "assistant"));
                    break;
                case "gen_ai.content.prompt" or "gen_ai.content.completion" or "gen_ai.client.inference.operation.details":
                    foreach (var (key, value) in e.Attributes)
                        attributes.TryAdd(key, value);
                    break;
            }
        if (input.Count > 0)
            attributes.TryAdd(GenAiNames.InputMessages, input);
        if (output.Count > 0)
            attributes.TryAdd(GenAiNames.OutputMessages, output);
    }

    private static Dictionary<string, object?> Message(ReceivedEvent e, string role)
    {
        var message = new Dictionary<string, object?>(e.Attributes);
        message.TryAdd("role", role);
        return message;
    }

    /// <summary>"prefix.2.role" becomes the field "role" of the third of a list. Numbers only order: a gap makes no empty place.</summary>
    private static List<object?>? Take(Dictionary<string, object?> attributes, string prefix, string part)
    {
        SortedDictionary<int, Dictionary<string, object?>>? found = null;
        List<string>? numbered = null;
        foreach (var key in attributes.Keys)
            if (key.StartsWith(prefix, StringComparison.Ordinal))
                (numbered ??= []).Add(key);
        if (numbered is null)
            return null;
        foreach (var key in numbered)
        {
            var dot = key.IndexOf('.', prefix.Length);
            if (dot < 0 || !int.TryParse(key.AsSpan(prefix.Length, dot - prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                continue;
            var field = key[(dot + 1)..];
            if (part.Length > 0 && field.StartsWith(part, StringComparison.Ordinal))
                field = field[part.Length..];
            found ??= [];
            if (!found.TryGetValue(number, out var item))
                found[number] = item = [];
            item[field] = attributes[key];
            attributes.Remove(key);
        }
        return found is null ? null : [.. found.Values];
    }
}
