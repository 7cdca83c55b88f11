using System.Text.Json;

namespace LlmOps.Engines.Text;

/// <summary>One answer to a prompt, marked desirable or not.</summary>
/// <param name="Prompt">What is asked.</param>
/// <param name="Completion">The answer.</param>
/// <param name="Label">True when the answer is desirable.</param>
/// <param name="Headword">What it is about; decides the <see cref="Split"/>.</param>
public sealed record UnpairedExample(string Prompt, string Completion, bool Label, string Headword)
{
    /// <summary>Reads a row <c>{"prompt","completion","label","headword"}</c>.</summary>
    /// <exception cref="InvalidDatasetException">A field is missing, empty or of another type.</exception>
    public static UnpairedExample From(JsonlRow row) => new(row.Text("prompt"), row.Text("completion"), Flag(row), row.Text("headword"));

    /// <summary>Both answers of each pair: all chosen ones, then all rejected ones.</summary>
    public static List<UnpairedExample> FromPairs(IReadOnlyCollection<PreferenceExample> pairs) =>
    [
        .. pairs.Select(p => new UnpairedExample(p.Prompt, p.Chosen, true, p.Headword)),
        .. pairs.Select(p => new UnpairedExample(p.Prompt, p.Rejected, false, p.Headword)),
    ];

    private static bool Flag(JsonlRow row) => row.Row.TryGetProperty("label", out var value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False
        ? value.GetBoolean()
        : throw new InvalidDatasetException("the field \"label\" is neither true nor false.", row.Line);
}
