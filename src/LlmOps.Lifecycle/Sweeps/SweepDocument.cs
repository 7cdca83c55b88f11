using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Sweeps.Search;
using YamlDotNet.RepresentationModel;

namespace LlmOps.Lifecycle.Sweeps;

/// <summary>A sweep as it is written. To have one is to know that each of its trials can be made.</summary>
public sealed partial record SweepDocument(string Name, string Description, string Pipeline, string Stage, SweepMetric Metric, SweepPlan Plan)
{
    private const int MostTrials = 10_000, MostParallel = 100;

    /// <summary>The pipeline's name alone: it is looked up before the rest can be checked.</summary>
    public static string PipelineOf(string yaml)
    {
        var problems = new List<FieldProblem>();
        var name = YamlReader.Root(yaml, "one YAML mapping with 'name', 'pipeline', 'stage', 'metric' and 'space' is expected.", problems) is { } root ? new YamlReader(root, "", problems).Text("pipeline") : null;
        if (problems.Count == 0 && string.IsNullOrWhiteSpace(name))
            problems.Add(new("pipeline", "the name of the pipeline that each trial runs is needed."));
        Refuse(problems);
        return name!;
    }

    /// <summary>The pipeline's YAML with what the sweep's "with" sets in the searched stage, the same in every trial.</summary>
    public static string WithFixed(string yaml, string pipelineYaml)
    {
        var problems = new List<FieldProblem>();
        var changed = TryWithFixed(yaml, pipelineYaml, problems);
        Refuse(problems);
        return changed;
    }

    /// <summary>The same; problems are added, and the text is then the pipeline's own.</summary>
    public static string TryWithFixed(string yaml, string pipelineYaml, List<FieldProblem> problems)
    {
        if (YamlReader.Root(yaml, "one YAML mapping is expected.", problems) is not { } root)
            return pipelineYaml;
        var reader = new YamlReader(root, "", problems);
        if (reader.Node("with") is not { } node)
            return pipelineYaml;
        if (node is not YamlMappingNode map || map.Children.Values.Any(v => v is not (YamlScalarNode or YamlSequenceNode)))
        {
            problems.Add(new("with", "a mapping of parameters to single values or lists is expected here."));
            return pipelineYaml;
        }
        foreach (var (key, value) in map.Children)
            pipelineYaml = StageText.Set(pipelineYaml, reader.Text("stage") ?? "", key.ToString(), value is YamlSequenceNode list ? $"[{string.Join(", ", list.Children.Select(Quoted))}]" : Quoted(value));
        return pipelineYaml;
    }

    private static string Quoted(YamlNode value) => $"\"{value.ToString().Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)}\"";

    /// <summary>Parses and checks everything; the error lists every problem with its path in the document.</summary>
    /// <param name="pipeline">The pipeline of that name, with <see cref="WithFixed"/>.</param>
    public static SweepDocument Parse(string yaml, PipelineDocument pipeline)
    {
        var problems = new List<FieldProblem>();
        var document = TryParse(yaml, pipeline, problems);
        Refuse(problems);
        return document!;
    }

    private static void Refuse(List<FieldProblem> problems)
    {
        if (problems.Count > 0)
            throw LlmOpsException.Invalid("The sweep cannot be used:\n" + string.Join("\n", problems.Select(p => $"- {p.Path}: {p.Message}")));
    }

    public static SweepDocument? TryParse(string yaml, PipelineDocument pipeline, List<FieldProblem> problems)
    {
        if (YamlReader.Root(yaml, "one YAML mapping with 'name', 'pipeline', 'stage', 'metric' and 'space' is expected.", problems) is not { } root)
            return null;
        var reader = new YamlReader(root, "", problems);
        var name = reader.Text("name") ?? "";
        if (!NamePattern().IsMatch(name))
            problems.Add(new("name", "a name of lower-case letters, digits and dashes is needed, 50 characters at most."));
        var description = reader.Text("description") ?? "";
        _ = reader.Text("pipeline");
        _ = reader.Node("with");
        var training = pipeline.Stages.Where(s => s.Kind.Group == "train").ToList();
        var stageName = reader.Text("stage");
        var stage = training.FirstOrDefault(s => s.Name == stageName);
        if (stage is null)
            problems.Add(new("stage", training.Count == 0 ? $"{pipeline.Name} has no training stage." : $"{(stageName is null ? "a training stage is needed" : $"'{stageName}' is no training stage of {pipeline.Name}")}. Allowed: {string.Join(", ", training.Select(s => s.Name))}."));
        var method = Word(reader, "method", SweepMethods.Random, SweepMethods.All, problems);
        var metric = ReadMetric(reader, pipeline, stage, problems);
        var minimise = Word(reader, "direction", "minimise", ["minimise", "maximise"], problems) == "minimise";
        var maxTrials = reader.Whole("max_trials", method == SweepMethods.Grid ? 100 : 20, 1, MostTrials);
        var parallel = reader.Whole("parallel", 1, 1, MostParallel);
        var seed = reader.Whole("seed", 42, 0, int.MaxValue);
        var halving = Halving(reader, method, stage, problems);
        var tpe = Tpe(reader, method, problems);
        var written = reader.Node("space") switch
        {
            YamlMappingNode map => (JsonObject)YamlReader.Json(map)!,
            null or YamlScalarNode { Value: null or "" } => [],
            _ => null,
        };
        reader.Unknown("a sweep");
        if (written is null)
            problems.Add(new("space", "a mapping of parameters is expected, each with what may be tried."));
        var space = stage is null || written is null ? null : SearchSpaceCheck.Read(written, stage.Kind, method == SweepMethods.Halving ? halving.Budget : null, problems);
        if (space is not null && method == SweepMethods.Grid && space.GridSize() > maxTrials)
            problems.Add(new("max_trials", string.Create(CultureInfo.InvariantCulture,
                $"the grid has {(space.GridSize() == SearchSpace.Countless ? "far too many" : space.GridSize())} points and {maxTrials} trials are allowed: part of it would never be tried. Allow more, give fewer points, or search at random.")));
        if (problems.Count > 0)
            return null;
        return new(name, description, pipeline.Name, stage!.Name, metric, new(space!, method, minimise, maxTrials, parallel, seed, halving, tpe));
    }

    private static SweepMetric ReadMetric(YamlReader reader, PipelineDocument pipeline, StageDefinition? stage, List<FieldProblem> problems)
    {
        var name = reader.Text("metric") ?? "";
        if (name.Length == 0)
            problems.Add(new("metric", "the number that decides is needed: a curve of the training, such as held_out_loss, or with 'measured_by' a metric of an evaluation, such as definitions.bits_per_byte."));
        var take = Word(reader, "take", SweepMetric.Last, [SweepMetric.Last, SweepMetric.Best], problems);
        var (measuredBy, variant) = (reader.Text("measured_by"), reader.Text("variant"));
        if (measuredBy is null && variant is not null)
            problems.Add(new("variant", "a variant is measured by an evaluation: name its stage in 'measured_by'."));
        if (measuredBy is not null && stage is not null)
        {
            var evaluations = pipeline.Stages.Where(s => s.Kind.Name is "evaluate" or "evaluate-suite" && TrialDocument.NeedsAll(pipeline, s.Name).Contains(stage.Name)).ToList();
            if (evaluations.FirstOrDefault(s => s.Name == measuredBy) is not { } measuring)
                problems.Add(new("measured_by", evaluations.Count == 0 ? $"no evaluation of {pipeline.Name} comes after {stage.Name}." : $"'{measuredBy}' is no evaluation that comes after {stage.Name}. Allowed: {string.Join(", ", evaluations.Select(s => s.Name))}."));
            else if (pipeline.Stages.FirstOrDefault(s => s.Kind.IsHuman && TrialDocument.NeedsAll(pipeline, measuredBy).Contains(s.Name)) is { } human)
                problems.Add(new("measured_by", $"{measuredBy} comes after {human.Name}, and nobody approves each trial. Name an evaluation before it."));
            else if (variant is null && (measuring.Parameters["variants"] as JsonArray ?? ["all"]) is var variants && (variants.Count != 1 || variants[0]?.ToString() == "all"))
                problems.Add(new("variant", $"{measuredBy} measures several variants. Say whose metric decides, for example variant: checkpoint."));
        }
        return new(name, take, measuredBy, variant);
    }

    private static HalvingOptions Halving(YamlReader reader, string method, StageDefinition? stage, List<FieldProblem> problems)
    {
        var standard = new HalvingOptions();
        if (Section(reader, "halving", method, SweepMethods.Halving, problems) is not { } section)
            return method == SweepMethods.Halving ? Checked(standard, stage, problems) : standard;
        var options = new HalvingOptions(section.Text("budget") ?? standard.Budget, section.Whole("min_budget", standard.MinBudget, 1, 10_000_000), section.Whole("eta", standard.Eta, 2, 100), section.Whole("rungs", standard.Rungs, 2, 20));
        section.Unknown("halving");
        return Checked(options, stage, problems);
    }

    private static HalvingOptions Checked(HalvingOptions options, StageDefinition? stage, List<FieldProblem> problems)
    {
        if (stage is null)
            return options;
        var budgets = StageFields.Of(stage.Kind).Where(f => f.Type == FieldType.Integer && f.Name is "max_steps" or "epochs").ToList();
        if (budgets.FirstOrDefault(f => f.Name == options.Budget) is not { } field)
            problems.Add(new("halving.budget", $"'{options.Budget}' does not say how long {stage.Name} trains. Allowed: {string.Join(", ", budgets.Select(f => f.Name))}."));
        else if (SuccessiveHalving.BudgetOf(options, options.Rungs - 1) > (field.Max ?? double.MaxValue))
            problems.Add(new("halving.rungs", string.Create(CultureInfo.InvariantCulture, $"the last rung would set {options.Budget} to {SuccessiveHalving.BudgetOf(options, options.Rungs - 1)}; at most {field.Max} is allowed.")));
        return options;
    }

    private static ParzenOptions Tpe(YamlReader reader, string method, List<FieldProblem> problems)
    {
        var standard = new ParzenOptions();
        if (Section(reader, "tpe", method, SweepMethods.Tpe, problems) is not { } section)
            return standard;
        var options = new ParzenOptions(section.Whole("startup", standard.Startup, 2, 1000), section.Number("gamma", standard.Gamma, 0.01, 0.9), section.Whole("candidates", standard.Candidates, 2, 1000));
        section.Unknown("tpe");
        return options;
    }

    private static YamlReader? Section(YamlReader reader, string key, string method, string owner, List<FieldProblem> problems)
    {
        var node = reader.Node(key);
        if (node is null)
            return null;
        if (method != owner)
            problems.Add(new(key, $"these are options of method: {owner}; the method here is {method}."));
        if (node is YamlMappingNode map)
            return new(map, key + ".", problems);
        problems.Add(new(key, "a mapping of options is expected here."));
        return null;
    }

    private static string Word(YamlReader reader, string key, string standard, IReadOnlyList<string> allowed, List<FieldProblem> problems)
    {
        var word = reader.Text(key) ?? standard;
        if (!allowed.Contains(word))
            problems.Add(new(key, $"'{word}' is not allowed. Allowed: {string.Join(", ", allowed)}."));
        return word;
    }

    [GeneratedRegex("^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$")]
    private static partial Regex NamePattern();
}
