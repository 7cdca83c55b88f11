using System.Text.Json;
using LlmOps.Engines.Evaluation.Generation;
using LlmOps.Lifecycle.Evaluation.Suites;

namespace LlmOps.Worker.Evaluation.Suites;

/// <summary>The assertions that a row carries about its answer, in promptfoo's words.</summary>
public static class RowAssertions
{
    /// <returns>What does not hold, or null.</returns>
    /// <exception cref="ArgumentException">The row has no assertions, or one that is not known.</exception>
    public static string? FirstFailure(JsonElement row, string answer, double ms)
    {
        if (!row.TryGetProperty(PromptfooImport.AssertField, out var list) || list.ValueKind != JsonValueKind.Array)
            throw new ArgumentException($"The row has no list '{PromptfooImport.AssertField}'.");
        foreach (var assertion in list.EnumerateArray())
        {
            var type = assertion.GetProperty("type").GetString()!;
            var negated = type.StartsWith("not-", StringComparison.Ordinal);
            if (Holds(negated ? type[4..] : type, assertion, answer, ms) == negated)
                return type;
        }
        return null;
    }

    private static bool Holds(string type, JsonElement assertion, string answer, double ms)
    {
        string Value() => assertion.GetProperty("value") is { ValueKind: JsonValueKind.String } text ? text.GetString()! : assertion.GetProperty("value").GetRawText();
        string[] Values() => [.. assertion.GetProperty("value").EnumerateArray().Select(v => v.ToString())];
        JsonSchema? Schema() => assertion.TryGetProperty("value", out var schema) ? JsonSchema.Parse(schema.ValueKind == JsonValueKind.String ? schema.GetString()! : schema.GetRawText()) : null;
        return type switch
        {
            "equals" => answer.Trim() == Value().Trim(),
            "contains" => answer.Contains(Value(), StringComparison.Ordinal),
            "icontains" => answer.Contains(Value(), StringComparison.OrdinalIgnoreCase),
            "contains-all" => TextChecks.ContainsAll(answer, Values()) == 1,
            "contains-any" => TextChecks.ContainsAny(answer, Values()) == 1,
            "icontains-all" => TextChecks.ContainsAll(answer, Values(), ignoreCase: true) == 1,
            "icontains-any" => TextChecks.ContainsAny(answer, Values(), ignoreCase: true) == 1,
            "starts-with" => answer.StartsWith(Value(), StringComparison.Ordinal),
            "regex" => TextChecks.Matches(answer, Value()) == 1,
            "is-json" => TextChecks.IsJson(answer, Schema()) == 1,
            "contains-json" => TextChecks.ContainsJson(answer, Schema()) == 1,
            "latency" => ms <= assertion.GetProperty("threshold").GetDouble(),
            _ => throw new ArgumentException($"The assertion '{type}' is not known."),
        };
    }
}
