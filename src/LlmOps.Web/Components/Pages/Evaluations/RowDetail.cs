using System.Globalization;
using System.Text.Json;

namespace LlmOps.Web.Components.Pages.Evaluations;

/// <summary>What a row keeps beside its value, in a few words; null for details that are only for computing.</summary>
public static class RowDetail
{
    public static string? Words(string? detailJson)
    {
        if (detailJson is null)
            return null;
        using var document = JsonDocument.Parse(detailJson);
        var root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
            return null;
        if (root.TryGetProperty("outcomes", out var outcomes) && root.TryGetProperty("passed", out var passed))
            return $"{passed.GetInt32()} of {outcomes.GetArrayLength()} passed{FirstError(outcomes)}";
        if (root.TryGetProperty("retrieved", out var retrieved))
            return "found " + (retrieved.GetArrayLength() == 0 ? "nothing" : string.Join(", ", retrieved.EnumerateArray().Select(r => r.GetProperty("id").GetString() + (r.GetProperty("relevant").GetBoolean() ? " ✓" : ""))));
        if (root.TryGetProperty("machine", out _) && root.TryGetProperty("first_token_ms", out var first) && root.TryGetProperty("latency_ms", out var all))
            return $"{root.GetProperty("prompt_tokens").GetInt32()} + {root.GetProperty("new_tokens").GetInt32()} tokens; first {Numbers(first)} ms, all {Numbers(all)} ms";
        if (root.TryGetProperty("findings", out var findings))
            return string.Join("; ", ((string?[])[root.GetProperty("refused").GetBoolean() ? $"refuses: “{root.GetProperty("phrase").GetString()}”" : null, .. findings.EnumerateObject().Select(f => $"{f.Name} × {f.Value.GetInt32()}")]).OfType<string>()) is { Length: > 0 } found ? found : "nothing found";
        return null;
    }

    private static string FirstError(JsonElement outcomes) => outcomes.EnumerateArray().FirstOrDefault(o => !o.GetProperty("passed").GetBoolean()) is { ValueKind: JsonValueKind.Object } failed
        ? failed.GetProperty("timed_out").GetBoolean() ? "; ran out of time" : $"; exit code {failed.GetProperty("exit_code").GetInt32()}{(failed.GetProperty("error").GetString() is { Length: > 0 } error ? $": {error}" : "")}" : "";

    private static string Numbers(JsonElement list) => string.Join(", ", list.EnumerateArray().Select(n => n.GetDouble().ToString("0.#", CultureInfo.InvariantCulture)));
}
