using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <summary>Who grades the rubrics of an imported configuration, which brings no judge of its own.</summary>
/// <param name="Key">Version of a judge that gives scores, "name/number".</param>
/// <param name="AtLeast">The score from which a rubric counts as met; null measures the mean score only.</param>
public sealed record RubricJudge(string Key, double? AtLeast = null);

/// <summary>promptfoo's llm-rubric: each one becomes a row that a judge grades.</summary>
internal static class PromptfooRubrics
{
    public const string Type = "llm-rubric";

    private const string Field = "rubric";

    public static string? Problem(string type, JsonObject assertion, RubricJudge? judge) =>
        judge is null ? $"{type} asks a judge, and a configuration cannot bring one along: save one that gives scores (llmops judge save) and name it in the import."
        : type != Type ? $"{type}: a judge gives scores, and the opposite of a score is none. Turn the rubric's words around."
        : assertion.ContainsKey("threshold") ? $"{type}: a 'threshold' is on a scale from 0 to 1, and the judge has one of its own. Remove it, and say from which score a rubric is met in the import."
        : assertion["value"]?.GetValueKind() != JsonValueKind.String || assertion["value"]!.GetValue<string>().Trim().Length == 0 ? $"{type} needs the rubric, a text, as 'value'."
        : null;

    /// <summary>Takes them out of a test's assertions; the others stay.</summary>
    /// <exception cref="ArgumentException">A variable has the name that the rubric needs.</exception>
    public static IReadOnlyList<JsonObject> Take(JsonArray asserts, JsonObject vars)
    {
        var taken = asserts.OfType<JsonObject>().Where(a => a["type"]?.ToString() == Type).ToList();
        if (taken.Count > 0 && vars.ContainsKey(Field))
            throw new ArgumentException($"a variable cannot be named '{Field}' beside {Type}.");
        return [.. taken.Select(assertion =>
        {
            asserts.Remove(assertion);
            var row = (JsonObject)vars.DeepClone();
            row[Field] = assertion["value"]?.DeepClone();
            return row;
        })];
    }

    /// <summary>The judge is shown the request with the row's rubric below it, whatever its own criteria are.</summary>
    public static SuiteTask Task(string name, string prompt, IReadOnlyList<JsonObject> rows, RubricJudge judge) => new()
    {
        Name = name, Kind = JudgeKinds.Score, Judge = judge.Key, Prompt = prompt, Question = $"{prompt}\n\nThe answer has to meet this: {{{{ {Field} }}}}", Rows = rows, MaxTokens = 256,
        Metrics = [new("score", new Dictionary<string, string>()), .. Acceptable(judge)],
    };

    private static IEnumerable<SuiteMetric> Acceptable(RubricJudge judge) =>
        judge.AtLeast is { } least ? [new("acceptable", new Dictionary<string, string> { [JudgeKinds.AtLeast] = least.ToString(CultureInfo.InvariantCulture) })] : [];
}
