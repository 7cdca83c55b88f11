using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>Reads what the gate needs out of a run's JSON, whichever handler wrote it.</summary>
internal static partial class RunDetail
{
    /// <summary>Every "name/number" anywhere in it.</summary>
    public static IReadOnlyCollection<string> Datasets(string datasetsJson)
    {
        using var document = JsonDocument.Parse(datasetsJson);
        return [.. Texts(document.RootElement).Where(t => KeyPattern().IsMatch(t)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
    }

    /// <summary>Most rows of each task that the run took; 0 when it took all, or did not say.</summary>
    public static int MaxRows(string datasetsJson)
    {
        using var document = JsonDocument.Parse(datasetsJson);
        return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("max_rows", out var most) && most.TryGetInt32(out var rows) ? rows : 0;
    }

    /// <summary>The verdict that was kept with the run; null when nobody asked.</summary>
    public static string? Contamination(string? detailJson)
    {
        if (detailJson is null)
            return null;
        using var document = JsonDocument.Parse(detailJson);
        return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("contamination", out var statement) && statement.TryGetProperty("verdict", out var verdict) ? verdict.GetString() : null;
    }

    /// <summary>What the run cost, US dollars; null when nothing was paid or recorded.</summary>
    public static double? Cost(string? detailJson)
    {
        if (detailJson is null)
            return null;
        using var document = JsonDocument.Parse(detailJson);
        return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("cost_usd", out var cost) && cost.ValueKind == JsonValueKind.Number ? cost.GetDouble() : null;
    }

    private static IEnumerable<string> Texts(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.String => [element.GetString()!],
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Texts),
        JsonValueKind.Object => element.EnumerateObject().SelectMany(p => Texts(p.Value)),
        _ => [],
    };

    [GeneratedRegex("^[a-z0-9][a-z0-9._-]*/[0-9]+$")]
    private static partial Regex KeyPattern();
}
