using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Pipelines.Stages;

namespace LlmOps.Lifecycle.Tests.Evaluation;

public sealed class SuiteDocumentTests
{
    private const string Row = ", rows: [{ q: a, a: b }]";

    [Theory]
    [InlineData("{ name: t, kind: guess, dataset: a/1 }", "tasks[0].kind (line 3)", "'guess' is no kind of task. Allowed: perplexity, multiple-choice")]
    [InlineData("{ name: t, kind: generation, prompt: '{{ q }}', target: '{{ a }}', metrics: [rouge9]" + Row + " }", "tasks[0].metrics (line 3)", "'rouge9' is no metric of generation. Allowed: exact_match")]
    [InlineData("{ name: t, kind: generation, prompt: '{{ q }}', target: '{{ a }}' }", "tasks[0].dataset (line 3)", "either a 'dataset' (name/number) or 'rows'")]
    [InlineData("{ name: t, kind: generation, prompt: '{{ q }}', target: '{{ a }}', dataset: facts }", "tasks[0].dataset (line 3)", "'facts' names no version")]
    [InlineData("{ name: t, kind: generation, prompt: '{{ q ', target: '{{ a }}'" + Row + " }", "tasks[0].prompt (line 3)", "Template, line 1")]
    [InlineData("{ name: t, kind: generation, prompt: '{{ q }}', target: '{{ a }}', temprature: 1" + Row + " }", "tasks[0].temprature (line 3)", "a task has no 'temprature'. Allowed: name, kind")]
    [InlineData("{ name: t, kind: generation, prompt: '{{ q }}'" + Row + " }", "tasks[0].target (line 3)", "exact_match compares with a 'target'")]
    [InlineData("{ name: t, kind: generation, prompt: '{{ q }}', metrics: [{ metric: regex, pattern: '(' }]" + Row + " }", "tasks[0].metrics (line 3)", "regex: Invalid pattern")]
    [InlineData("{ name: t, kind: generation, prompt: '{{ q }}', metrics: [regex]" + Row + " }", "tasks[0].metrics (line 3)", "regex needs 'pattern'")]
    [InlineData("{ name: t, kind: multiple-choice, prompt: '{{ q }}', target: '{{ a }}'" + Row + " }", "tasks[0].choices (line 3)", "needs 'choices'")]
    [InlineData("{ name: t, kind: generation, prompt: '{{ q }}', target: '{{ a }}', few_shot: 2, chat: false" + Row + " }", "tasks[0].few_shot (line 3)", "2 examples are asked for and 'shots' has 0")]
    [InlineData("{ name: t, kind: generation, prompt: '{{ q }}', target: '{{ a }}', margins: { f1: 0.1 }" + Row + " }", "margins.f1 (line 3)", "has no 'f1'")]
    [InlineData("{ name: t, kind: generation, prompt: '{{ q }}', target: '{{ a }}', metrics: [{ metric: number, tolerance: -1 }]" + Row + " }", "tasks[0].metrics (line 3)", "'tolerance' is a number of 0 or more")]
    [InlineData("{ name: t, kind: generation, prompt: '{{ q }}', target: '{{ a }}', samples: 4" + Row + " }", "tasks[0].samples (line 3)", "a task has no 'samples'")]
    [InlineData("{ name: t, kind: code, prompt: '{{ q }}'" + Row + " }", "tasks[0].tests (line 3)", "needs 'tests'")]
    [InlineData("{ name: t, kind: code, prompt: '{{ q }}', tests: '{{ a }}', samples: 4" + Row + " }", "tasks[0].samples (line 3)", "set 'temperature' above 0")]
    [InlineData("{ name: t, kind: code, prompt: '{{ q }}', tests: '{{ a }}', samples: 4, temperature: 1, metrics: [pass@1, pass@5]" + Row + " }", "tasks[0].samples (line 3)", "pass@5 needs at least 5 samples")]
    [InlineData("{ name: t, kind: code, prompt: '{{ q }}', tests: '{{ a }}', metrics: [pass@k]" + Row + " }", "tasks[0].metrics (line 3)", "'pass@k' is no metric of code. Allowed: pass@1, pass@k")]
    [InlineData("{ name: t, kind: rag, knowledge: docs/1, question: '{{ q }}', metrics: [answered]" + Row + ", answers: guess }", "tasks[0].answers (line 3)", "'guess' is no way to answer. Allowed: extractive, model, none")]
    [InlineData("{ name: t, kind: rag, knowledge: docs/1, question: '{{ q }}'" + Row + " }", "tasks[0].relevant (line 3)", "mrr needs 'relevant'")]
    [InlineData("{ name: t, kind: rag, knowledge: docs, question: '{{ q }}', metrics: [answered]" + Row + " }", "tasks[0].knowledge (line 3)", "names no version")]
    [InlineData("{ name: t, kind: rag, knowledge: docs/1, question: '{{ q }}', relevant: '{{ a }}', metrics: [recall@10]" + Row + " }", "tasks[0].top_k (line 3)", "recall@10 needs a 'top_k' of at least 10")]
    [InlineData("{ name: t, kind: rag, knowledge: docs/1, question: '{{ q }}', answers: none, metrics: [groundedness]" + Row + " }", "tasks[0].answers (line 3)", "groundedness needs an answer")]
    [InlineData("{ name: t, kind: rag, knowledge: docs/1, question: '{{ q }}', answers: model, metrics: [answered]" + Row + " }", "tasks[0].prompt (line 3)", "needs a 'prompt'")]
    [InlineData("{ name: t, kind: latency, prompt: '{{ q }}', temperature: 1" + Row + " }", "tasks[0].temperature (line 3)", "leave the temperature out")]
    [InlineData("{ name: t, kind: safety, prompt: '{{ q }}'" + Row + " }", "tasks[0].harmful (line 3)", "refusal needs 'harmful'")]
    public void Problems_NameFieldAndLine(string task, string path, string message)
    {
        var problems = new List<FieldProblem>();
        Assert.Null(SuiteDocument.TryParse($"name: s\ntasks:\n  - {task}\n", problems));
        var problem = Assert.Single(problems);
        Assert.Equal(path, problem.Path);
        Assert.Contains(message, problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void KeysOfKinds_ChangeNoDigestOfSuitesWithoutThem_AndAreWrittenBack()
    {
        var old = SuiteDocument.Parse("name: s\ntasks:\n  - { name: t, kind: generation, prompt: '{{ q }}', target: '{{ a }}', metrics: [exact_match]" + Row + " }\n");
        var task = System.Text.Json.JsonDocument.Parse(Json.Write(old.Tasks[0])).RootElement;
        Assert.Equal(["name", "kind", "split", "limit", "rows", "prompt", "target", "choices", "chosen", "rejected", "delimiter", "chat", "few_shot", "shots", "stop", "max_tokens", "temperature", "metrics", "slice", "cluster", "measures"], task.EnumerateObject().Select(p => p.Name));
        Assert.Equal(["name", "metric", "unit", "higher_is_better", "is_ratio", "proportion", "full_name", "of_suite", "row_name"], task.GetProperty("measures")[0].EnumerateObject().Select(p => p.Name));

        var code = SuiteDocument.Parse("name: s\ntasks:\n  - { name: t, kind: code, prompt: '{{ q }}', tests: 'exit {{ a }}', interpreter: sh, samples: 4, temperature: 0.5, timeout_seconds: 1.5, memory_mb: 64, metrics: [pass@2]" + Row + " }\n");
        Assert.Equal((4, 1.5, 64, "pass@2"), (code.Tasks[0].Samples, code.Tasks[0].TimeoutSeconds, code.Tasks[0].MemoryMb, code.Measures[0].Metric));
        Assert.Equal(code.Digest(new Dictionary<string, string>()), SuiteDocument.Parse(SuiteYaml.Write(code)).Digest(new Dictionary<string, string>()));
    }

    [Fact]
    public void Tasks_DescribeThemselves_AndSurviveStorage()
    {
        var document = SuiteDocument.Parse("name: s\ntasks:\n  - { name: t, kind: generation, prompt: '{{ q }}', target: '{{ a }}', metrics: [exact_match, bleu], margins: { exact_match: 0.02 }, rows: [{ q: a, a: b }] }\n");
        var tasks = RunTasks.Of(Json.Write(document.Measures));
        Assert.Equal(["t.exact_match", "t.bleu"], tasks.Select(t => t.RowName));
        Assert.Equal((0.02, null, "bleu"), (tasks[0].Margin, tasks[0].CorpusMetric, tasks[1].CorpusMetric));
    }

    [Fact]
    public void WrittenYaml_IsReadAsTheSameSuite()
    {
        var document = ImportSuite.Read("odd", "{\"question\":\"a \\\"quoted\\\" \\\\ line\\nbreak \\u00e9 \\ud83d\\ude00: #x\",\"choices\":[\"yes\",\"no\",\"~\"],\"answer\":\"no\",\"n\":1.5,\"b\":true,\"z\":null}");
        Assert.Equal(document.Digest(new Dictionary<string, string>()), SuiteDocument.Parse(SuiteYaml.Write(document)).Digest(new Dictionary<string, string>()));
        Assert.Equal("a \"quoted\" \\ line\nbreak é 😀: #x", document.Tasks[0].Rows[0]["question"]!.GetValue<string>());
        Assert.Equal("~", document.Tasks[0].Rows[0]["choices"]![2]!.GetValue<string>());
    }

    [Fact]
    public void CorpusMetric_ComesFromSums_NotFromTheMeanOfRows()
    {
        var tasks = SuiteDocument.Parse("name: s\ntasks:\n  - { name: t, kind: classification, prompt: '{{ q }}', target: '{{ a }}', choices: [a, b], metrics: [macro_f1], rows: [{ q: a, a: b }] }\n").Measures;
        RowScore Row(string key, params double[] statistics) => new() { Task = "t.macro_f1", RowKey = key, Value = 0, DetailJson = Json.Write(new RowStatistics(statistics)) };
        // right, predicted, wanted of a and of b. Together a: 2, 3, 2 → F1 0.8; b: 1, 1, 2 → 2/3
        var estimate = Assert.Single(SummariseRows.Summarise(Guid.NewGuid(), [Row("1", 1, 1, 1, 0, 0, 0), Row("2", 1, 1, 1, 0, 0, 0), Row("3", 0, 1, 0, 0, 0, 1), Row("4", 0, 0, 0, 1, 1, 1)], 200, tasks));
        Assert.Equal((0.8 + 2.0 / 3) / 2, estimate.Value, 12);
        Assert.InRange(estimate.Value, estimate.Low, estimate.High);
    }
}
