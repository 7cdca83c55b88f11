using System.Text.Json;
using System.Text.RegularExpressions;
using LlmOps.Engines.Evaluation.Contamination;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation.Suites;

namespace LlmOps.Lifecycle.Evaluation.Contamination;

/// <summary>What of a row is compared. Pure.</summary>
internal static class RowTexts
{
    /// <summary>
    /// The columns a model learns from: a corpus text; a prompt with its completion; a prompt with the chosen answer. The rejected answer is what a
    /// model is taught not to say, and is left out.
    /// </summary>
    public static ContaminationRow OfDataset(DatasetKind kind, string json, int number)
    {
        using var document = JsonDocument.Parse(json);
        // Pixels and numbers have no words: only the very same row is the same.
        if (kind is DatasetKind.Image or DatasetKind.Table)
            return Of([RowKeys.OfSample(document.RootElement)], number);
        string[] columns = kind switch { DatasetKind.Corpus => ["text"], DatasetKind.Instruction or DatasetKind.Unpaired => ["prompt", "completion"], _ => ["prompt", "chosen"] };
        return Of([.. columns.SelectMany(c => document.RootElement.TryGetProperty(c, out var value) ? Texts(value, false) : [])], number);
    }

    /// <summary>The texts of the fields that the task shows or expects. A task that names none is compared in all of its fields.</summary>
    public static ContaminationRow OfInline(SuiteTask task, JsonElement row, int number)
    {
        if (row.ValueKind != JsonValueKind.Object)
            return Of([.. Texts(row, true)], number);
        var templates = string.Join('\n', task.Prompt, task.Question, task.Target, task.Chosen);
        var fields = row.EnumerateObject().ToList();
        var named = fields.Where(f => Regex.IsMatch(templates, $@"\b{Regex.Escape(f.Name)}\b", RegexOptions.CultureInvariant)).ToList();
        var texts = Of([.. (named.Count > 0 ? named : fields).SelectMany(f => Texts(f.Value, false))], number);
        // A row of nothing but numbers still has them.
        return texts.Text.Length > 0 ? texts : Of([.. fields.SelectMany(f => Texts(f.Value, true))], number);
    }

    private static ContaminationRow Of(IReadOnlyList<string> texts, int number) => new(number, string.Join('\n', texts), texts.Count > 1 ? texts : null);

    private static IEnumerable<string> Texts(JsonElement value, bool numbers) => value.ValueKind switch
    {
        JsonValueKind.String => [value.GetString()!],
        JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => numbers ? [value.GetRawText()] : [],
        JsonValueKind.Array => value.EnumerateArray().SelectMany(v => Texts(v, numbers)),
        JsonValueKind.Object => value.EnumerateObject().SelectMany(p => Texts(p.Value, numbers)),
        _ => [],
    };
}
