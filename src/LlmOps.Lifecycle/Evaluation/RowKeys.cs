using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>
/// Keys of evaluation rows: a hash of the row's content, so that runs over different dataset versions still pair on the rows they share.
/// </summary>
public static class RowKeys
{
    public static string Of(string content) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content)))[..16];

    /// <summary>As a suite's task names a row.</summary>
    public static string Of(JsonElement row) => Of(JsonSerializer.Serialize(row, Json.Options));

    public static string OfText(string text) => Of(text);

    public static string OfInstruction(string prompt, string completion) => Of($"{prompt}\n{completion}");

    public static string OfPreference(string prompt, string chosen, string rejected) => Of($"{prompt}\n{chosen}\n{rejected}");

    /// <summary>Of a picture or a table's row: what the model sees, whatever its label.</summary>
    public static string OfSample(JsonElement row) => Of((row.TryGetProperty("pixels", out var seen) || row.TryGetProperty("features", out seen) ? seen : row).GetRawText());

    /// <summary>Every key under which a run may have stored the row: that of a suite, and that of the built-in tasks.</summary>
    internal static IReadOnlyList<string> All(DatasetKind kind, JsonElement row)
    {
        string Field(string name) => row.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
        return [Of(row), kind switch
        {
            DatasetKind.Corpus => OfText(Field("text")),
            DatasetKind.Instruction or DatasetKind.Unpaired => OfInstruction(Field("prompt"), Field("completion")),
            DatasetKind.Image or DatasetKind.Table => OfSample(row),
            _ => OfPreference(Field("prompt"), Field("chosen"), Field("rejected")),
        }];
    }
}
