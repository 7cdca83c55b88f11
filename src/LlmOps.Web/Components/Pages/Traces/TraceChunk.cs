using System.Text.Json;

namespace LlmOps.Web.Components.Pages.Traces;

/// <summary>A piece of text that a retrieval found, as its span has it.</summary>
public sealed record TraceChunk(string? Id, double? Score, string Text)
{
    /// <summary>Empty when the output is no list of documents.</summary>
    public static IReadOnlyList<TraceChunk> Read(string? output)
    {
        if (output is null || !output.StartsWith('['))
            return [];
        try
        {
            using var document = JsonDocument.Parse(output);
            return document.RootElement.EnumerateArray().All(d => d.ValueKind == JsonValueKind.Object) ? [.. document.RootElement.EnumerateArray().Select(Of)] : [];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return [];
        }
    }

    /// <summary>This server's own retrievals have what they found among their attributes, by number and score.</summary>
    public static IReadOnlyList<TraceChunk> ReadHits(string attributesJson)
    {
        using var document = JsonDocument.Parse(attributesJson);
        return document.RootElement.TryGetProperty("hits", out var hits) ? Read(hits.GetRawText()) : [];
    }

    private static TraceChunk Of(JsonElement chunk) => new(Field(chunk, "id") ?? Field(chunk, "title") ?? Field(chunk, "document"),
        chunk.TryGetProperty("score", out var score) && score.ValueKind == JsonValueKind.Number ? score.GetDouble() : null, Field(chunk, "content") ?? Field(chunk, "text") ?? "");

    private static string? Field(JsonElement chunk, string name) =>
        !chunk.TryGetProperty(name, out var value) ? null : value.ValueKind switch { JsonValueKind.String => value.GetString(), JsonValueKind.Number => value.GetRawText(), _ => null };
}
