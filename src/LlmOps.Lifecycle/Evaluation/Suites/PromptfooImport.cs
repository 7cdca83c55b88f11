using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LlmOps.Engines.Evaluation.Generation;
using LlmOps.Lifecycle.Pipelines.Stages;
using YamlDotNet.RepresentationModel;

namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <summary>Reads promptfoo's configuration: each prompt becomes a task, each test a row that carries its assertions. What cannot be checked here is refused by name.</summary>
public static class PromptfooImport
{
    /// <summary>Field of a row that holds its assertions.</summary>
    public const string AssertField = "assert";

    private static readonly string[] WithText = ["equals", "contains", "icontains", "starts-with", "regex"];
    private static readonly string[] WithList = ["contains-all", "contains-any", "icontains-all", "icontains-any"];
    private static readonly string[] WithSchema = ["is-json", "contains-json"];

    /// <param name="judge">Grades what llm-rubric asks for; null refuses it.</param>
    public static IReadOnlyList<SuiteTask> Read(string yaml, RubricJudge? judge = null)
    {
        var problems = new List<FieldProblem>();
        var tasks = YamlReader.Root(yaml, "one YAML mapping with 'prompts' and 'tests' is expected.", problems) is { } root ? Read(root, judge, problems) : [];
        if (problems.Count > 0)
            throw LlmOpsException.Invalid("The configuration cannot be imported:\n" + string.Join("\n", problems.Select(p => $"- {p.Path}: {p.Message}")));
        return tasks;
    }

    private static List<SuiteTask> Read(YamlMappingNode root, RubricJudge? judge, List<FieldProblem> problems)
    {
        var y = new YamlReader(root, "", problems);
        // Which models are asked is said when the suite is run.
        y.Node("providers");
        y.Text("description");
        y.Node("$schema");
        var prompts = y.Texts("prompts");
        if (prompts.Count == 0)
            y.Problem("prompts", "at least one prompt, as text, is needed.");
        foreach (var prompt in prompts.Where(IsFile))
            y.Problem("prompts", $"'{prompt}' is another file: put its text here.");
        var (defaultVars, defaultAsserts) = (new JsonObject(), new JsonArray());
        if (y.Node("defaultTest") is YamlMappingNode common)
            (defaultVars, defaultAsserts) = Test(new YamlReader(common, "defaultTest.", problems), judge);
        var (rows, rubrics) = (new List<JsonObject>(), new List<JsonObject>());
        if (y.Node("tests") is YamlSequenceNode tests)
            foreach (var (i, node) in tests.Children.Index())
            {
                var t = new YamlReader(node as YamlMappingNode ?? new YamlMappingNode(), $"tests[{i}].", problems);
                var (vars, asserts) = Test(t, judge);
                foreach (var (name, value) in defaultVars.Where(v => !vars.ContainsKey(v.Key)))
                    vars[name] = value?.DeepClone();
                foreach (var assertion in defaultAsserts)
                    asserts.Add(assertion!.DeepClone());
                asserts = [.. asserts.Select(a => Expand((JsonObject)a!, vars))];
                if (asserts.Count == 0)
                    t.Problem("assert", "a test without an assertion measures nothing.");
                var graded = Rubrics(t, asserts, vars);
                rubrics.AddRange(graded);
                if (asserts.Count == 0 && graded.Count > 0)
                    continue;
                vars[AssertField] = asserts;
                rows.Add(vars);
            }
        else
            y.Problem("tests", "a list of tests is needed; files of tests are not read.");
        y.Unknown("a configuration", "this key is not supported, and a result might depend on it. Remove it, or write the suite by hand.");
        return [.. prompts.SelectMany((prompt, i) => Tasks(prompt, prompts.Count == 1 ? "" : $"{i + 1}", rows, rubrics, judge))];
    }

    private static IEnumerable<SuiteTask> Tasks(string prompt, string number, IReadOnlyList<JsonObject> rows, IReadOnlyList<JsonObject> rubrics, RubricJudge? judge)
    {
        if (rows.Count > 0)
            yield return new() { Name = number.Length == 0 ? "assertions" : $"prompt-{number}", Kind = "generation", Prompt = prompt, Rows = rows, MaxTokens = 256, Metrics = [new("assertions", new Dictionary<string, string>())] };
        if (rubrics.Count > 0 && judge is not null)
            yield return PromptfooRubrics.Task(number.Length == 0 ? "rubrics" : $"rubrics-{number}", prompt, rubrics, judge);
    }

    private static IReadOnlyList<JsonObject> Rubrics(YamlReader t, JsonArray asserts, JsonObject vars)
    {
        try
        {
            return PromptfooRubrics.Take(asserts, vars);
        }
        catch (ArgumentException e)
        {
            t.Problem("vars", e.Message);
            return [];
        }
    }

    private static (JsonObject Vars, JsonArray Asserts) Test(YamlReader t, RubricJudge? judge)
    {
        t.Text("description");
        var vars = new JsonObject();
        if (t.Node("vars") is { } node)
            if (node is YamlMappingNode map)
                vars = (JsonObject)YamlReader.Json(map)!;
            else
                t.Problem("vars", "a mapping of variables is expected; files of variables are not read.");
        foreach (var (name, value) in vars)
            if (value is JsonArray)
                t.Problem("vars", $"'{name}' is a list, from which one test for each entry would be made: write the tests out.");
            else if (name == AssertField)
                t.Problem("vars", $"a variable cannot be named '{AssertField}' here.");
            else if (value?.GetValueKind() == JsonValueKind.String && IsFile(value.GetValue<string>()))
                t.Problem("vars", $"'{name}' is another file: put its text here.");
        var asserts = new JsonArray();
        foreach (var assertion in t.Objects("assert"))
        {
            if (Problem(assertion, judge) is { } problem)
                t.Problem("assert", problem);
            asserts.Add(assertion.DeepClone());
        }
        t.Unknown("a test", "this key of a test is not supported.");
        return (vars, asserts);
    }

    private static string? Problem(JsonObject assertion, RubricJudge? judge)
    {
        var type = assertion["type"]?.ToString() ?? "";
        var plain = type.StartsWith("not-", StringComparison.Ordinal) ? type[4..] : type;
        if (assertion.Select(p => p.Key).FirstOrDefault(k => k is not ("type" or "value" or "threshold")) is { } option)
            return $"{type}: '{option}' of an assertion is not supported.";
        var value = assertion["value"];
        if (value?.GetValueKind() == JsonValueKind.String && (IsFile(value.GetValue<string>()) || value.GetValue<string>().StartsWith("package:", StringComparison.Ordinal)))
            return $"{type}: '{value}' is another file: put its text here.";
        return plain switch
        {
            "latency" => assertion["threshold"]?.GetValueKind() == JsonValueKind.Number ? null : "latency needs a 'threshold' in milliseconds.",
            "cost" => "cost: a model that runs here has no price. Use latency.",
            PromptfooRubrics.Type => PromptfooRubrics.Problem(type, assertion, judge),
            "model-graded-closedqa" or "factuality" or "g-eval" or "select-best" => $"{type} asks a judge with words of its own: write its question as {PromptfooRubrics.Type}, or a task of kind {JudgeKinds.Score} or {JudgeKinds.Pairwise} that names a judge.",
            "javascript" or "python" or "ruby" or "webhook" => $"{type} is code of the configuration, which is not run here. For JSON use is-json or contains-json with a schema; programs that the model writes are tested by a task of kind 'code'.",
            _ when WithText.Contains(plain) => value is null or JsonObject or JsonArray ? $"{type} needs a text as 'value'." : plain == "regex" ? Pattern(value.ToString()) : null,
            _ when WithList.Contains(plain) => value is JsonArray ? null : $"{type} needs a list as 'value'.",
            _ when WithSchema.Contains(plain) => value is null ? null : Schema(value),
            _ => $"'{type}' is not supported. Supported: {string.Join(", ", WithText.Concat(WithList).Concat(WithSchema))}, latency, each also with not- before it.",
        };
    }

    private static string? Pattern(string pattern)
    {
        try { _ = new Regex(pattern, RegexOptions.CultureInvariant); return null; } catch (ArgumentException e) { return $"regex: {e.Message}"; }
    }

    private static string? Schema(JsonNode value)
    {
        try { JsonSchema.Parse(value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : value.ToJsonString()); return null; } catch (ArgumentException e) { return e.Message; }
    }

    /// <summary>Variables inside of expected values are filled in now: the row is then complete.</summary>
    private static JsonObject Expand(JsonObject assertion, JsonObject vars)
    {
        var copy = (JsonObject)assertion.DeepClone();
        if (copy["value"]?.GetValueKind() == JsonValueKind.String && copy["value"]!.GetValue<string>() is var text && text.Contains("{{", StringComparison.Ordinal))
            copy["value"] = Engines.Text.RowTemplate.Parse(text).Render(JsonSerializer.SerializeToElement(vars));
        return copy;
    }

    private static bool IsFile(string text) => text.StartsWith("file:", StringComparison.Ordinal);
}
