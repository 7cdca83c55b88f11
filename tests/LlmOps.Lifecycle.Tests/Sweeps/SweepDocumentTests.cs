using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Sweeps;
using LlmOps.Lifecycle.Sweeps.Search;

namespace LlmOps.Lifecycle.Tests.Sweeps;

public sealed class SweepDocumentTests
{
    internal const string Pipeline = """
        name: tuned
        stages:
          - name: data
            kind: import-data
            with: { source: data, name: facts }
          - name: tokenizer
            kind: train-tokenizer
            with: { corpus: "${data.corpus}" }
          - name: pretrain
            kind: pretrain
            with: { corpus: "${data.corpus}", tokenizer: "${tokenizer.tokenizer}", model: tiny-lm, hidden_size: 64 }
          - name: export
            kind: export-onnx
            with: { version: "${pretrain.version}" }
          - name: measure
            kind: evaluate
            with: { version: "${export.version}", corpus: "${data.corpus}", variants: [fp32] }
          - name: approve
            kind: approve
            with: { version: "${measure.version}", variant: fp32 }
          - name: after
            kind: evaluate
            with: { version: "${approve.version}" }
        """;

    internal static string Sweep(string more = "", string space = "{learning_rate: {log: [1e-4, 1e-2]}, batch_size: [8, 16, 32]}", string name = "rates", string metric = "loss") =>
        $"name: {name}\npipeline: tuned\nstage: pretrain\nmetric: {metric}\nspace: {space}\n{more}";

    private static SweepDocument Parse(string yaml) => SweepDocument.Parse(yaml, PipelineDocument.Parse(Pipeline));

    private static string Refusal(string yaml) => Assert.Throws<LlmOpsException>(() => Parse(yaml)).Message;

    [Fact]
    public void Parse_ReadsEveryFormOfRange_AndFillsInTheRest()
    {
        var sweep = Parse(Sweep(space: "{learning_rate: {log: [1e-4, 1e-2], points: 3}, weight_decay: {float: [0, 0.2]}, layers: {int: [2, 6], step: 2}, batch_size: {choice: [8, 16]}, max_steps: {log: [10, 1000]}}"));
        Assert.Equal(new LogDimension("learning_rate", 1e-4, 1e-2, 3), sweep.Plan.Space.Dimensions[0]);
        Assert.Equal(new FloatDimension("weight_decay", 0, 0.2), sweep.Plan.Space.Dimensions[1]);
        Assert.Equal(["2", "4", "6"], sweep.Plan.Space.Dimensions[2].Grid());
        Assert.Equal(["8", "16"], sweep.Plan.Space.Dimensions[3].Grid());
        Assert.True(((LogDimension)sweep.Plan.Space.Dimensions[4]).Whole);
        Assert.Equal(("random", true, 20, 1, 42), (sweep.Plan.Method, sweep.Plan.Minimise, sweep.Plan.MaxTrials, sweep.Plan.Parallel, sweep.Plan.Seed));
        Assert.Equal(new SweepMetric("loss"), sweep.Metric);
    }

    [Theory]
    [InlineData("{learning_rate: {log: [0.01, 50]}}", "space.learning_rate: 50 is outside 1E-08 … 10")]
    [InlineData("{learning_rate: {log: [0.01, 0.001]}}", "the low end 0.01 is not below the high end 0.001")]
    [InlineData("{weight_decay: {log: [0, 0.1]}}", "a logarithmic range starts above 0")]
    [InlineData("{batch_size: {float: [1, 8]}}", "takes whole numbers: write {int: [low, high]}")]
    [InlineData("{batch_size: [8]}", "at least two different values")]
    [InlineData("{batch_size: [8, 8.5]}", "'8.5' is not a whole number")]
    [InlineData("{batch_size: 8}", "one value leaves nothing to search")]
    [InlineData("{batch_size: {int: [8, 16], points: 3}}", "an int range has a step, not points")]
    [InlineData("{batch_size: {between: [8, 16]}}", "unknown key. Allowed: choice, int, float, log, step, points")]
    [InlineData("{corpus: [a, b]}", "'corpus' does not say how the stage learns. Allowed: ")]
    [InlineData("{held_out_examples: [10, 20]}", "'held_out_examples' does not say how the stage learns")]
    [InlineData("{rate: [1, 2]}", "pretrain has no parameter 'rate'. Allowed: ")]
    [InlineData("{}", "at least one parameter is needed")]
    public void Parse_SaysWhatIsAllowed_WhenTheSpaceIsWrong(string space, string expected) => Assert.Contains(expected, Refusal(Sweep(space: space)), StringComparison.Ordinal);

    [Theory]
    [InlineData("method: bayes", "method: 'bayes' is not allowed. Allowed: grid, random, halving, tpe")]
    [InlineData("direction: down", "Allowed: minimise, maximise")]
    [InlineData("trials: 3", "a sweep has no 'trials'. Allowed: name, description, pipeline, with, stage")]
    [InlineData("method: grid\nmax_trials: 10", "the grid has 15 points and 10 trials are allowed")]
    [InlineData("method: halving\nhalving: {budget: layers}", "'layers' does not say how long pretrain trains. Allowed: ")]
    [InlineData("method: halving\nhalving: {min_budget: 1000000, rungs: 4}", "the last rung would set max_steps to 27000000; at most 10000000 is allowed")]
    [InlineData("halving: {eta: 4}", "these are options of method: halving; the method here is random")]
    [InlineData("method: halving\nhalving: {eta: 1}", "halving.eta (line 7): '1' is no whole number of 2 to 100")]
    [InlineData("measured_by: data", "'data' is no evaluation that comes after pretrain. Allowed: measure, after")]
    [InlineData("measured_by: after", "after comes after approve, and nobody approves each trial")]
    [InlineData("variant: int8", "name its stage in 'measured_by'")]
    public void Parse_SaysWhatIsAllowed_WhenTheRestIsWrong(string more, string expected) => Assert.Contains(expected, Refusal(Sweep(more)), StringComparison.Ordinal);

    [Fact]
    public void Parse_RefusesABudgetInTheSpace_AndNamesEveryProblemAtOnce()
    {
        var message = Refusal(Sweep("method: halving\nparallel: 0", "{max_steps: [1, 2], heads: [3, x]}"));
        Assert.Contains("'max_steps' is the budget that successive halving sets", message, StringComparison.Ordinal);
        Assert.Contains("'x' is not a number", message, StringComparison.Ordinal);
        Assert.Contains("parallel (line 7)", message, StringComparison.Ordinal);
    }

    [Fact]
    public void With_SetsWhatIsTheSameInEveryTrial()
    {
        var yaml = SweepDocument.WithFixed(Sweep("with: {epochs: 20, optimizer: lion}"), Pipeline);
        Assert.Equal(("20", "lion", "64"), PipelineDocument.Parse(yaml).Stages[2].Parameters switch { var p => ($"{p["epochs"]}", $"{p["optimizer"]}", $"{p["hidden_size"]}") });
        Assert.Equal(Pipeline, SweepDocument.WithFixed(Sweep(), Pipeline));
        Assert.Contains("with: a mapping", Assert.Throws<LlmOpsException>(() => SweepDocument.WithFixed(Sweep("with: [1]"), Pipeline)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TrialDocument_EndsWithTheTrainingStage_OrWithTheOneThatMeasures()
    {
        var pipeline = PipelineDocument.Parse(Pipeline);
        var space = new SearchSpace([new LogDimension("learning_rate", 1e-4, 1e-2), new ChoiceDimension("batch_size", ["8", "16"])]);
        var parameters = TrialDocument.Parameters(pipeline, "pretrain", space, "max_steps", new(1, 0, null, ["0.0005", "16"], 30));
        Assert.Equal("""{"learning_rate":0.0005,"batch_size":16,"max_steps":30}""", parameters.ToJsonString());
        var curve = PipelineDocument.Parse(TrialDocument.ToYaml(pipeline, "sweep-rates", "Trial 1.", "pretrain", new("loss"), parameters));
        Assert.Equal(["data", "tokenizer", "pretrain"], curve.Stages.Select(s => s.Name));
        var expected = pipeline.Stages[2].Parameters.DeepClone().AsObject();
        foreach (var (key, value) in parameters)
            expected[key] = value!.DeepClone();
        Assert.Equal(expected.OrderBy(p => p.Key).Select(p => $"{p.Key}={p.Value}"), curve.Stages[2].Parameters.OrderBy(p => p.Key).Select(p => $"{p.Key}={p.Value}"));
        var measured = PipelineDocument.Parse(TrialDocument.ToYaml(pipeline, "sweep-rates", "", "pretrain", new("x", MeasuredBy: "measure"), parameters));
        Assert.Equal(["data", "tokenizer", "pretrain", "export", "measure"], measured.Stages.Select(s => s.Name));
        Assert.Equal(["data", "tokenizer"], TrialDocument.Shared(pipeline, "pretrain", new("x", MeasuredBy: "measure")).Order());
    }
}
