using System.Text.Json;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>A value that somebody gave: a text, a number, true or false, or a list or an object of them.</summary>
/// <param name="Json">As it is stored.</param>
/// <param name="Text">For the search.</param>
public sealed record AssessmentValue(string Json, string Text, double? Number)
{
    public const int Longest = 65_535;

    /// <exception cref="LlmOpsException">It is too long, or holds what no database stores.</exception>
    public static AssessmentValue Parse(JsonElement value)
    {
        EnsureStorable(value);
        var json = Data.Json.Write(value);
        if (json.Length > Longest)
            throw LlmOpsException.Invalid($"The value of an assessment has {json.Length} characters as JSON; {Longest} are allowed.");
        var text = value.ValueKind == JsonValueKind.String ? value.GetString()! : json;
        return new(json, IndexedText.Head(text), value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) ? number : null);
    }

    internal static void EnsureStorable(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String:
                TrackingLimits.EnsureText(Read(value), "A text of the value", int.MaxValue);
                break;
            case JsonValueKind.Array:
                foreach (var item in value.EnumerateArray())
                    EnsureStorable(item);
                break;
            case JsonValueKind.Object:
                foreach (var field in value.EnumerateObject())
                {
                    TrackingLimits.EnsureText(field.Name, "A name in the value", int.MaxValue);
                    EnsureStorable(field.Value);
                }
                break;
        }
    }

    private static string Read(JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw LlmOpsException.Invalid("A text of the value holds half a character, which no database stores.");
        }
    }
}
