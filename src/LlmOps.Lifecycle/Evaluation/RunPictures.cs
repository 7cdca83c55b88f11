using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>A picture of an evaluation: an artifact that holds one PNG file.</summary>
/// <param name="Title">What it shows.</param>
/// <param name="Digest">Of the artifact.</param>
public sealed record RunPicture(string Title, string Digest)
{
    public const string FileName = "picture.png";
}

/// <summary>Pictures in a run's detail, where other things stand too.</summary>
public static class RunPictures
{
    private const string Name = "pictures";

    public static IReadOnlyList<RunPicture> Parse(string? detailJson)
    {
        if (detailJson is null)
            return [];
        using var document = JsonDocument.Parse(detailJson);
        return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty(Name, out var found) ? found.Deserialize<List<RunPicture>>(Data.Json.Options)! : [];
    }

    public static string With(string? detailJson, IReadOnlyList<RunPicture> pictures)
    {
        var detail = detailJson is null ? [] : JsonNode.Parse(detailJson)!.AsObject();
        detail[Name] = JsonSerializer.SerializeToNode(pictures, Data.Json.Options);
        return detail.ToJsonString(Data.Json.Options);
    }
}
