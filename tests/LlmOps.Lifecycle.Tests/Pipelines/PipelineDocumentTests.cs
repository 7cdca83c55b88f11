using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.TestKit;

namespace LlmOps.Lifecycle.Tests.Pipelines;

public sealed class PipelineDocumentTests
{
    private const string Import = "  - { name: data, kind: import-data, with: { source: data, name: facts } }\n";

    // Each has a pipeline of its own.
    private static readonly string[] SmallModelKinds = ["make-samples", "train-classifier", "train-autoencoder", "train-diffusion", "train-lstm", "train-baseline"];

    private static string Stages(string stages) => "name: test\nstages:\n" + stages;

    private static FieldProblem OneProblem(string yaml)
    {
        var problems = new List<FieldProblem>();
        Assert.Null(PipelineDocument.TryParse(yaml, problems));
        return Assert.Single(problems);
    }

    [Theory]
    [InlineData("quickstart", "quickstart.yaml")]
    [InlineData("tiny", "tiny.yaml")]
    public void ShippedPipelines_CanBeUsed(string folder, string file)
    {
        var document = PipelineDocument.Parse(File.ReadAllText(RepositoryRoot.Path("pipelines", folder, file)));
        // A checkpoint of somebody else's is not shipped, not every pipeline searches or compares two runs, and suites and judges are saved before they are used.
        string[] elsewhere = ["import-checkpoint", "search-variant", "compare-runs", "evaluate-suite", "check-contamination", "calibrate-judge",
            "align-unpaired", "train-reward", "distill", .. SmallModelKinds];
        Assert.Empty(StageKinds.All.Select(k => k.Name).Except(elsewhere).Except(document.Stages.Select(s => s.Kind.Name)));
    }

    [Theory]
    [InlineData("classifier")]
    [InlineData("autoencoder")]
    [InlineData("vae")]
    [InlineData("diffusion")]
    [InlineData("lstm")]
    [InlineData("baselines")]
    public void PipelinesOfSmallModels_CanBeUsed(string name)
    {
        var document = PipelineDocument.Parse(File.ReadAllText(RepositoryRoot.Path("pipelines", name, $"{name}.yaml")));
        Assert.Equal(name, document.Name);
        Assert.NotEmpty(document.Stages.Select(s => s.Kind.Name).Intersect(SmallModelKinds));
        Assert.Empty(new[] { "export-onnx", "evaluate", "gate" }.Except(document.Stages.Select(s => s.Kind.Name)));
    }

    [Theory]
    [InlineData("dpo")]
    [InlineData("dpo-relatives")]
    [InlineData("reference-free")]
    [InlineData("kto")]
    [InlineData("reward")]
    [InlineData("distill")]
    public void EveryPipelineOfAnObjective_MeasuresBeforeAndAfter(string name)
    {
        var document = PipelineDocument.Parse(File.ReadAllText(RepositoryRoot.Path("pipelines", "objectives", name + ".yaml")));

        Assert.Contains(document.Stages, s => s is { Name: "evaluate-before", Kind.Name: "evaluate" });
        string[] trained = [.. document.Stages.Where(s => s.Kind.Name is "align" or "align-unpaired" or "train-reward" or "distill").Select(s => s.Name)];
        Assert.NotEmpty(trained);
        Assert.All(trained, t => Assert.Contains(document.Stages, s => s.Name == "evaluate-" + t && s.Needs.Contains(t)));
    }

    [Theory]
    [InlineData("align", "preferences: p/1, objective: hinge, label_smoothing: 0.1", "label_smoothing", "hinge does not know wrong labels; use cdpo or robust")]
    [InlineData("align", "preferences: p/1, objective: cpo, sft_weight: 1", "sft_weight", "use cpo_alpha")]
    [InlineData("align", "preferences: p/1, objective: dpo", "objective", "'dpo' is not allowed. Allowed: sigmoid, cdpo, hinge, ipo")]
    [InlineData("align-unpaired", "answers: p/1, batch_size: 1", "batch_size", "at least 2 answers")]
    [InlineData("distill", "teacher: t/1", "corpus", "either a corpus or instructions")]
    [InlineData("distill", "teacher: m/1, corpus: c/1", "teacher", "cannot teach itself")]
    public void WhatAnObjectiveDoesNotDefine_IsFoundBeforeTheStageRuns(string kind, string with, string field, string message)
    {
        var problem = OneProblem(Stages($"  - {{ name: a, kind: {kind}, with: {{ version: m/1, {with} }} }}\n"));

        Assert.Equal($"stages[0].with.{field}", problem.Path);
        Assert.Contains(message, problem.Message, StringComparison.Ordinal);
    }

    [Theory]
    // Unknown things: the path leads to them, the message lists what is allowed.
    [InlineData("  - { name: a, kind: bake }", "stages[0].kind", "'bake' is no stage kind. Allowed: import-data, import-checkpoint, train-tokenizer")]
    [InlineData("  - { name: a }", "stages[0].kind", "is no stage kind. Allowed:")]
    [InlineData(Import + "  - { name: b, kind: train-tokenizer, with: { corpus: \"${data.corpus}\", vocab: 9 } }", "stages[1].with.vocab", "no parameter 'vocab'. Allowed: corpus, instructions, vocabulary_size")]
    [InlineData("  - { name: a, kind: import-data, wiht: {}, with: { source: d, name: f } }", "stages[0].wiht", "unknown key. Allowed: name, kind, needs, with")]
    // Values: each says what is allowed.
    [InlineData(Import + "  - { name: b, kind: train-tokenizer, with: { corpus: \"${data.corpus}\", vocabulary_size: 12 } }", "stages[1].with.vocabulary_size", "12 is outside 300 … 65536 tokens")]
    [InlineData(Import + "  - { name: b, kind: train-tokenizer, with: { corpus: \"${data.corpus}\", vocabulary_size: 512.5 } }", "stages[1].with.vocabulary_size", "'512.5' is not a whole number")]
    [InlineData(Import + "  - { name: b, kind: train-tokenizer, with: { corpus: \"${data.corpus}\", vocabulary_size: many } }", "stages[1].with.vocabulary_size", "'many' is not a whole number")]
    [InlineData("  - { name: a, kind: align, with: { version: m/1, preferences: p/1, beta: .nan } }", "stages[0].with.beta", "is not a number")]
    [InlineData("  - { name: a, kind: import-data, with: { source: d, name: f, on_bad_row: ignore } }", "stages[0].with.on_bad_row", "'ignore' is not allowed. Allowed: refuse, quarantine")]
    [InlineData("  - { name: a, kind: quantize, with: { version: m/1, methods: [int8, int3] } }", "stages[0].with.methods", "'int3' is not allowed. Allowed: int8, int8-smooth, int8-static, int8-blocks, int4, int4-prefill, int4-refit, int4-mixed, int4-awq, int4-gptq, int2-awq, fp16, bf16")]
    [InlineData("  - { name: a, kind: quantize, with: { version: m/1, per_channel: maybe } }", "stages[0].with.per_channel", "neither true nor false")]
    [InlineData("  - { name: a, kind: quantize, with: { version: [m/1] } }", "stages[0].with.version", "one value is expected")]
    [InlineData("  - { name: a, kind: import-data, with: { source: d } }", "stages[0].with.name", "'name' is missing")]
    [InlineData("  - { name: a, kind: import-data, with: { source: \"\", name: f } }", "stages[0].with.source", "'source' is empty")]
    [InlineData("  - { name: a, kind: import-data, with: [1] }", "stages[0].with", "a mapping of parameters is expected")]
    [InlineData("  - { name: g, kind: gate, with: { version: m/1, rules: [] } }", "stages[0].with.rules", "a gate judges by rules or by a policy")]
    [InlineData("  - { name: g, kind: gate, with: { version: m/1, rules: [\"loss < 1.2.3\"] } }", "stages[0].with.rules", "is no gate rule")]
    // Names and the graph.
    [InlineData("  - { name: Big Name, kind: import-data, with: { source: d, name: f } }", "stages[0].name", "lower-case letters")]
    [InlineData(Import + Import, "stages[1].name", "two stages are called 'data'")]
    [InlineData("  - { name: a, kind: import-data, needs: [ghost], with: { source: d, name: f } }", "stages[0].needs", "there is no stage 'ghost'. Stages: a")]
    [InlineData("  - { name: a, kind: train-tokenizer, with: { corpus: \"${ghost.corpus}\" } }", "stages[0].needs", "there is no stage 'ghost'")]
    [InlineData(Import + "  - { name: b, kind: train-tokenizer, with: { corpus: \"${data.corpse}\" } }", "stages[1].with", "no output 'corpse'. Outputs: corpus, instructions, preferences")]
    [InlineData("  - { name: a, kind: import-data, needs: [b], with: { source: d, name: f } }\n  - { name: b, kind: import-data, needs: [a], with: { source: d, name: f } }", "stages", "wait for each other: a → b → a")]
    [InlineData("  - { name: a, kind: import-data, needs: [a], with: { source: d, name: f } }", "stages", "wait for each other: a → a")]
    [InlineData("  - only text", "stages[0]", "a stage is a mapping")]
    public void Problem_IsNamedWithItsPath(string stages, string path, string message)
    {
        var problem = OneProblem(Stages(stages));
        Assert.Equal(path, problem.Path);
        Assert.Contains(message, problem.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("stages: []\nname: a", "stages", "at least one stage")]
    [InlineData("name: a", "stages", "at least one stage")]
    [InlineData("- a\n- b", "document", "one YAML mapping")]
    [InlineData("", "document", "one YAML mapping")]
    [InlineData("name: test\nextra: 1\nstages:\n" + Import, "extra", "unknown key. Allowed: name, description, stages")]
    [InlineData("name: test\nstages:\n  - name: a\n   kind: import-data\n", "line 4, column 4", "not valid YAML")]
    [InlineData("name: test\nname: again\nstages:\n" + Import, "line 2, column 1", "not valid YAML")]
    public void Document_IsRefused_WithThePlaceOfTheProblem(string yaml, string path, string message)
    {
        var problem = OneProblem(yaml);
        Assert.Equal(path, problem.Path);
        Assert.Contains(message, problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_ListsEveryProblem_NotOnlyTheFirst()
    {
        var refusal = Assert.Throws<LlmOpsException>(() => PipelineDocument.Parse(Stages("  - { name: a, kind: import-data, with: { source: d, on_bad_row: x, what: 1 } }")));
        Assert.Equal(ErrorCode.InvalidParameterValue, refusal.Code);
        foreach (var path in new[] { "stages[0].with.name", "stages[0].with.on_bad_row", "stages[0].with.what" })
            Assert.Contains(path, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Reference_IsANeed_WithoutBeingWrittenTwice()
    {
        var document = PipelineDocument.Parse(Stages(Import + "  - { name: b, kind: train-tokenizer, needs: data, with: { corpus: \"${data.corpus}\", instructions: \"${data.instructions}\" } }"));
        Assert.Equal(["data"], document.Stages[1].Needs);
    }

    [Fact]
    public void AliasThatHoldsItself_IsRefused()
    {
        var problems = new List<FieldProblem>();
        Assert.Null(PipelineDocument.TryParse(Stages("  - { name: a, kind: evaluate, with: { version: m/1, variants: &v [*v] } }"), problems));
        Assert.NotEmpty(problems);
    }

    [Fact]
    public void EveryStageKind_DescribesItsParameters()
    {
        Assert.Equal(StageKinds.All.Count, StageKinds.All.Select(k => k.Name).Distinct().Count());
        foreach (var kind in StageKinds.All)
        {
            var fields = StageFields.Of(kind);
            Assert.NotEmpty(fields);
            Assert.Equal(kind.Parameters.GetProperties().Count(p => p.DeclaringType != typeof(StageParameters)), fields.Count);
            Assert.All(fields, f => Assert.EndsWith(".", f.Help, StringComparison.Ordinal));
            // A default that its own limits refuse would make an empty form unusable.
            var problems = new List<FieldProblem>();
            StageFields.Check(kind, fields.Where(f => !f.Required).ToDictionary(f => f.Name, f => f.Default), "with", problems);
            Assert.All(problems, p => Assert.Matches("is missing|one of the three", p.Message));
        }
    }
}
