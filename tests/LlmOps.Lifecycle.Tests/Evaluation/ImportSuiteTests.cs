using LlmOps.Lifecycle.Evaluation.Suites;

namespace LlmOps.Lifecycle.Tests.Evaluation;

public sealed class ImportSuiteTests
{
    private const string Rows = "{\"question\":\"2+2=\",\"options\":[\"3\",\"4\"],\"gold\":1}";

    private static string Refusal(string content, string? format = null) => Assert.Throws<LlmOpsException>(() => ImportSuite.Read("imported", content, format, rowsJsonl: format == "promptfoo" ? null : Rows)).Message;

    [Fact]
    public void MultipleChoice_OfTheHarness_KeepsItsTemplatesAndDelimiter()
    {
        var task = Assert.Single(ImportSuite.Read("imported", """
            task: sums
            dataset_path: somebody/sums
            test_split: test
            output_type: multiple_choice
            doc_to_text: "Q: {{question}}\nA:"
            doc_to_choice: options
            doc_to_target: gold
            metric_list:
              - { metric: acc, aggregation: mean, higher_is_better: true }
              - metric: acc_norm
            metadata: { version: 1.0 }
            """, rowsJsonl: Rows).Tasks);
        Assert.Equal(("multiple-choice", "Q: {{question}}\nA:", "{{ gold }}", " ", false), (task.Kind, task.Prompt, task.Target, task.Delimiter, task.Chat));
        Assert.Equal(["{{ options }}"], task.Choices);
        Assert.Equal(["accuracy", "accuracy_norm"], task.Metrics.Select(m => m.Name));
    }

    [Fact]
    public void GenerateUntil_KeepsStopTextsAndFlags()
    {
        var task = Assert.Single(ImportSuite.Read("imported", "task: g\noutput_type: generate_until\ndoc_to_text: question\ndoc_to_target: '{{gold}}'\ngeneration_kwargs: { until: [\"\\n\", \"Q:\"], max_gen_toks: 12 }\nmetric_list: [{ metric: exact_match, ignore_case: true }]\n", rowsJsonl: Rows).Tasks);
        Assert.Equal(["\n", "Q:"], task.Stop);
        Assert.Equal((12, 0.0), (task.MaxTokens, task.Temperature));
        Assert.True(task.Metrics[0].Flag("ignore_case") && task.Metrics[0].Flag("untrimmed") && !task.Metrics[0].Flag("ignore_punctuation"));
    }

    [Theory]
    [InlineData("doc_to_text: !function utils.text", "!function calls Python code")]
    [InlineData("doc_to_text: q\nprocess_results: x", "process_results is Python code")]
    [InlineData("doc_to_text: q\nunsafe_code: true", "write a task of kind 'code'")]
    [InlineData("doc_to_text: q\nfilter_list: [{ name: strict }]", "filters change answers")]
    [InlineData("doc_to_text: q\ninclude: _base.yaml", "another file is included")]
    [InlineData("doc_to_text: q\nmetric_list: [{ metric: acc_mutual_info }]", "'acc_mutual_info' of multiple_choice is not supported")]
    [InlineData("doc_to_text: q\nnum_fewshot: 5", "examples are drawn at random")]
    [InlineData("doc_to_text: q\nsomething_new: 5", "something_new (line 5): this key is not supported")]
    [InlineData("doc_to_text: \"{% if q %}\\nx{% endif %}\"", "line breaks around it")]
    public void Harness_RefusesWhatItCannotDo_ByName(string keys, string message) =>
        Assert.Contains(message, Refusal($"task: t\noutput_type: multiple_choice\ndoc_to_choice: options\n{keys}\ndoc_to_target: gold\n"), StringComparison.Ordinal);

    [Fact]
    public void Promptfoo_TestsBecomeRowsWithTheirAssertions()
    {
        var task = Assert.Single(ImportSuite.Read("imported", """
            prompts: ["Translate to French: {{ word }}"]
            providers: [openai:gpt-4o]
            defaultTest: { assert: [{ type: latency, threshold: 5000 }] }
            tests:
              - vars: { word: cat }
                assert:
                  - { type: icontains, value: chat }
                  - { type: not-contains, value: "{{ word }}!" }
              - vars: { word: dog }
                assert: [{ type: is-json, value: { type: object, required: [fr] } }]
            """).Tasks);
        Assert.Equal((2, "assertions"), (task.Rows.Count, task.Metrics[0].Name));
        Assert.Equal(["icontains", "not-contains", "latency"], task.Rows[0]["assert"]!.AsArray().Select(a => a!["type"]!.GetValue<string>()));
        Assert.Equal("cat!", task.Rows[0]["assert"]![1]!["value"]!.GetValue<string>());
    }

    private const string Rubrics = """
        prompts: ["Answer {{ name }}: {{ ask }}", "{{ ask }}"]
        defaultTest: { assert: [{ type: llm-rubric, value: "It greets {{ name }}" }] }
        tests:
          - vars: { name: Ada, ask: hello }
          - vars: { name: Bob, ask: bye }
            assert: [{ type: icontains, value: "{{ name }}" }, { type: llm-rubric, value: "It is short" }]
        """;

    [Fact]
    public void Promptfoo_RubricsBecomeRowsOfATaskThatNamesTheJudge()
    {
        var tasks = ImportSuite.Read("imported", Rubrics, judge: new("critic/2", 4)).Tasks;
        Assert.Equal(["prompt-1", "rubrics-1", "prompt-2", "rubrics-2"], tasks.Select(t => t.Name));
        // The test that asks a judge and nothing else has no row among the assertions.
        Assert.Equal("Bob", Assert.Single(tasks[0].Rows)["name"]!.GetValue<string>());
        Assert.Equal(["icontains"], tasks[0].Rows[0]["assert"]!.AsArray().Select(a => a!["type"]!.GetValue<string>()));
        Assert.Equal(("judge-score", "critic/2", "Answer {{ name }}: {{ ask }}"), (tasks[1].Kind, tasks[1].Judge, tasks[1].Prompt));
        Assert.Equal(["It greets Ada", "It is short", "It greets Bob"], tasks[1].Rows.Select(r => r["rubric"]!.GetValue<string>()));
        Assert.Equal("{{ ask }}\n\nThe answer has to meet this: {{ rubric }}", tasks[3].Question);
        Assert.Equal("4", tasks[1].Metrics.Single(m => m.Name == "acceptable").Options["at_least"]);
        Assert.Equal(["score"], ImportSuite.Read("imported", Rubrics, judge: new("critic/2")).Tasks[1].Metrics.Select(m => m.Name));
    }

    [Theory]
    [InlineData("{ type: not-llm-rubric, value: x }", "the opposite of a score is none")]
    [InlineData("{ type: llm-rubric, value: x, threshold: 0.8 }", "on a scale from 0 to 1")]
    [InlineData("{ type: llm-rubric, value: x, provider: 'openai:gpt-4o' }", "'provider' of an assertion is not supported")]
    [InlineData("{ type: llm-rubric, value: '' }", "needs the rubric")]
    [InlineData("{ type: factuality, value: x }", "asks a judge with words of its own")]
    public void Promptfoo_RefusesRubricsThatMeanSomethingElse(string assertion, string message) =>
        Assert.Contains(message, Assert.Throws<LlmOpsException>(() => ImportSuite.Read("imported", $"prompts: ['{{{{ a }}}}']\ntests:\n  - vars: {{ a: b }}\n    assert: [{assertion}]\n", judge: new("critic/1"))).Message, StringComparison.Ordinal);

    [Fact]
    public void Promptfoo_AVariableThatWouldBeHidden_IsRefused() =>
        Assert.Contains("cannot be named 'rubric'", Assert.Throws<LlmOpsException>(() => ImportSuite.Read("imported", "prompts: ['{{ rubric }}']\ntests:\n  - vars: { rubric: b }\n    assert: [{ type: llm-rubric, value: x }]\n", judge: new("critic/1"))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("{ type: javascript, value: 'output.length' }", "javascript is code")]
    [InlineData("{ type: python, value: 'len(output) > 1' }", "use is-json or contains-json")]
    [InlineData("{ type: llm-rubric, value: polite }", "llm-rubric asks a judge, and a configuration cannot bring one along")]
    [InlineData("{ type: cost, threshold: 1 }", "a model that runs here has no price")]
    [InlineData("{ type: similar, value: x }", "'similar' is not supported. Supported: equals")]
    [InlineData("{ type: equals, value: x, weight: 2 }", "'weight' of an assertion is not supported")]
    [InlineData("{ type: equals, value: 'file://x.txt' }", "is another file")]
    [InlineData("{ type: regex, value: '(' }", "regex: Invalid pattern")]
    public void Promptfoo_RefusesWhatItCannotCheck_ByName(string assertion, string message) =>
        Assert.Contains(message, Refusal($"prompts: ['{{{{ a }}}}']\ntests:\n  - vars: {{ a: b }}\n    assert: [{assertion}]\n", "promptfoo"), StringComparison.Ordinal);

    [Theory]
    [InlineData("{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":\"c\"}", "preference")]
    [InlineData("{\"question\":\"a\",\"choices\":[\"b\",\"c\"],\"answer\":0}", "multiple-choice")]
    [InlineData("{\"prompt\":\"a\",\"completion\":\"b\"}", "generation")]
    [InlineData("{\"text\":\"a\"}", "perplexity")]
    public void Jsonl_ColumnsSayTheKind(string rows, string kind) => Assert.Equal(kind, Assert.Single(ImportSuite.Read("imported", rows).Tasks).Kind);

    [Fact]
    public void Jsonl_NamesTheLineThatCannotBeRead() => Assert.Contains("Line 2 is not JSON", Refusal("{\"text\":\"a\"}\n{\"text\":", "jsonl"), StringComparison.Ordinal);
}
