using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Registry;

namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <summary>Where the rows of an imported task come from: a dataset version, or rows that come along.</summary>
public sealed record SuiteSource(string? Dataset, IReadOnlyList<JsonObject> Rows);

/// <summary>Turns files of other tools into a suite's YAML, which is then looked at, changed and saved like any other.</summary>
public static class ImportSuite
{
    public static IReadOnlyList<string> Formats { get; } = ["lm-evaluation-harness", "promptfoo", "jsonl"];

    /// <param name="format">One of <see cref="Formats"/>; null or empty to tell from the content.</param>
    /// <param name="dataset">Dataset version that has the rows of an lm-evaluation-harness task.</param>
    /// <param name="rowsJsonl">Or the rows themselves.</param>
    /// <param name="judge">Grades the rubrics of a promptfoo configuration.</param>
    public static SuiteDocument Read(string name, string content, string? format = null, string? dataset = null, string? rowsJsonl = null, RubricJudge? judge = null)
    {
        ModelName.Parse(name);
        if (string.IsNullOrEmpty(format))
            format = Guess(content);
        var source = new SuiteSource(string.IsNullOrWhiteSpace(dataset) ? null : VersionKey.Parse(dataset).ToString(), string.IsNullOrWhiteSpace(rowsJsonl) ? [] : Rows(rowsJsonl));
        if (format == "lm-evaluation-harness" && source.Dataset is null == (source.Rows.Count == 0))
            throw LlmOpsException.Invalid("A task file of lm-evaluation-harness names a dataset of a hub and has no rows: give either a dataset version, or a JSONL file with the rows.");
        var document = new SuiteDocument(name, $"Imported from {format}.", format switch
        {
            "lm-evaluation-harness" => [HarnessImport.Read(content, source)],
            "promptfoo" => PromptfooImport.Read(content, judge),
            "jsonl" => [OfRows(Rows(content))],
            _ => throw LlmOpsException.Invalid($"'{format}' is no format. Formats: {string.Join(", ", Formats)}."),
        });
        // What is written has to be what is read: the same checks as for a suite written by hand.
        return SuiteDocument.Parse(SuiteYaml.Write(document));
    }

    private static string Guess(string content) =>
        content.TrimStart().StartsWith('{') ? "jsonl"
        : content.Contains("output_type:", StringComparison.Ordinal) || content.Contains("doc_to_text:", StringComparison.Ordinal) ? "lm-evaluation-harness"
        : content.Contains("prompts:", StringComparison.Ordinal) && content.Contains("tests:", StringComparison.Ordinal) ? "promptfoo"
        : throw LlmOpsException.Invalid($"The file's format cannot be told from its content. Name it: {string.Join(", ", Formats)}.");

    private static List<JsonObject> Rows(string jsonl)
    {
        var rows = new List<JsonObject>();
        foreach (var (i, line) in jsonl.ReplaceLineEndings("\n").Split('\n').Index().Where(l => l.Item.Trim().Length > 0))
            try
            {
                rows.Add(JsonNode.Parse(line) as JsonObject ?? throw LlmOpsException.Invalid($"Line {i + 1}: a row is a JSON object."));
            }
            catch (JsonException e)
            {
                throw LlmOpsException.Invalid($"Line {i + 1} is not JSON: {e.Message}");
            }
        return rows.Count > 0 ? rows : throw LlmOpsException.Invalid("There is no row.");
    }

    /// <summary>The columns say what the rows are for.</summary>
    private static SuiteTask OfRows(IReadOnlyList<JsonObject> rows)
    {
        var columns = rows[0].Select(p => p.Key).ToHashSet();
        if (rows.Index().FirstOrDefault(r => columns.Any(c => !r.Item.ContainsKey(c))) is { Item: not null } odd)
            throw LlmOpsException.Invalid($"Row {odd.Index + 1} lacks '{columns.First(c => !odd.Item.ContainsKey(c))}', which the first row has.");
        string? First(params string[] names) => names.FirstOrDefault(columns.Contains);
        var prompt = First("prompt", "question", "input", "text");
        var target = First("target", "completion", "answer", "expected", "label", "output", "ideal");
        string Field(string? name) => name is null ? "" : $"{{{{ {name} }}}}";
        var task = new SuiteTask { Name = "rows", Kind = "", Rows = rows, Prompt = Field(prompt), Target = Field(target), Slice = First("slice", "category", "subject") ?? "", Cluster = First("cluster", "passage_id") ?? "" };
        return (prompt, target) switch
        {
            _ when columns.Contains("chosen") && columns.Contains("rejected") && prompt is not null => task with { Kind = "preference", Target = "", Chosen = Field("chosen"), Rejected = Field("rejected") },
            (not null, not null) when columns.Contains("choices") => task with { Kind = "multiple-choice", Choices = [Field("choices")], Metrics = [new("accuracy", new Dictionary<string, string>()), new("accuracy_norm", new Dictionary<string, string>())] },
            (not null, not null) => task with { Kind = "generation", Metrics = [new("exact_match", new Dictionary<string, string>()), new("f1", new Dictionary<string, string>())] },
            ("text", null) => task with { Kind = "perplexity", Prompt = "", Target = Field("text") },
            _ => throw LlmOpsException.Invalid($"The columns {string.Join(", ", columns)} say nothing that can be measured. Expected: prompt and target; prompt, choices and target; prompt, chosen and rejected; or text."),
        };
    }
}
