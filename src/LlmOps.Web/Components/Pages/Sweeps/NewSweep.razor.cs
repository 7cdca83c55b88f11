using System.Text;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Sweeps;
using LlmOps.Lifecycle.Sweeps.Search;
using LlmOps.Web.Components.Shared;
using LlmOps.Web.Components.Pages.Pipelines;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Sweeps;

/// <summary>A form over the YAML of a sweep: what is typed becomes the document, and the document is what is checked and started.</summary>
public sealed partial class NewSweep
{
    private readonly List<FieldProblem> problems = [];
    private IReadOnlyList<string>? pipelines;
    private IReadOnlyList<DimensionDraft> drafts = [];
    private IReadOnlyList<string> shared = [];
    private PipelineDocument? source;
    private SweepDocument? document;
    private string sourceYaml = "";
    /// <summary>What every trial is given where the pipeline says otherwise.</summary>
    private Dictionary<string, string> changed = [];
    private string pipeline = "", stage = "", name = "", metric = "held_out_loss", take = SweepMetric.Last, measuredBy = "", variant = "", direction = "minimise";
    private string method = SweepMethods.Random, maxTrials = "12", parallel = "1", seed = "42", budget = "max_steps", minBudget = "20", eta = "3", rungs = "3";

    [Inject] private ReadPipelines Pipelines { get; set; } = null!;
    [Inject] private ReadSweeps Sweeps { get; set; } = null!;
    [Inject] private StartSweep Start { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }
    /// <summary>A sweep whose settings are a start for this one.</summary>
    [SupplyParameterFromQuery] private string? From { get; set; }
    [SupplyParameterFromQuery(Name = "pipeline")] private string? Wanted { get; set; }

    private IReadOnlyList<StageDefinition> Stages => source is null ? [] : [.. source.Stages.Where(s => s.Kind.Group == "train")];

    private IReadOnlyList<string> Evaluations => source is null ? [] : [.. source.Stages.Where(s => s.Kind.Name is "evaluate" or "evaluate-suite" && TrialDocument.NeedsAll(source, s.Name) is var needs && needs.Contains(stage) && !source.Stages.Any(h => h.Kind.IsHuman && needs.Contains(h.Name))).Select(s => s.Name)];

    private IEnumerable<string> Metrics => measuredBy.Length == 0 ? ["held_out_loss", "loss"] : EvaluationTasks.All.Select(t => t.FullName);

    private string Command => $"llmops sweep start {(name.Length > 0 ? name : "sweep")}.yaml";

    private string? Missing => Actor.Objection(Permission.RunPipelines) ?? (document is null ? "Mend the problems first." : null);

    protected override async Task OnInitializedAsync()
    {
        var names = (await Pipelines.NamesAsync()).Where(n => !n.StartsWith("sweep-", StringComparison.Ordinal) && !n.StartsWith("regression-", StringComparison.Ordinal)).ToList();
        var from = From is null ? null : await Sweeps.GetAsync(From);
        if (names.Count > 0)
            await ChoosePipelineAsync(new[] { from?.Row.Pipeline, Wanted }.FirstOrDefault(n => n is not null && names.Contains(n)) ?? names[0]);
        if (from is not null)
            Fill(from);
        pipelines = names;
    }

    private async Task ChoosePipelineAsync(string chosen)
    {
        pipeline = chosen;
        sourceYaml = (await Pipelines.GetAsync(chosen)).Yaml;
        source = PipelineDocument.TryParse(sourceYaml, []);
        ChooseStage(Stages.Count > 0 ? Stages[0].Name : "");
    }

    private void ChooseStage(string chosen)
    {
        (stage, measuredBy, changed) = (chosen, "", []);
        name = $"{pipeline}-{stage}"[..Math.Min(50, pipeline.Length + stage.Length + 1)].Trim('-');
        if (Stages.FirstOrDefault(s => s.Name == chosen) is { } found)
        {
            var values = StageForm.Values(found.Parameters);
            drafts = [.. StageFields.Of(found.Kind).Where(SearchSpaceCheck.IsSearchable).Select(f => new DimensionDraft(f, values.GetValueOrDefault(f.Name)))];
            foreach (var draft in drafts)
                draft.Suggest();
            if (drafts.FirstOrDefault(d => d.Field.Name == "learning_rate") is { } rate)
                rate.IsOn = true;
        }
        else
        {
            drafts = [];
        }
        Check();
    }

    private void Fill(SweepDetail from)
    {
        if (Stages.All(s => s.Name != from.Row.Stage))
            return;
        ChooseStage(from.Row.Stage);
        foreach (var draft in drafts)
        {
            draft.IsOn = false;
            if (from.Space.Dimensions.FirstOrDefault(d => d.Name == draft.Field.Name) is { } dimension)
                draft.Take(dimension);
        }
        var written = StageForm.Values(Stages.Single(s => s.Name == stage).Parameters);
        changed = StageForm.Values(from.Given).Where(v => written.GetValueOrDefault(v.Key) != v.Value).ToDictionary(v => v.Key, v => v.Value);
        (name, metric, take, measuredBy, variant) = (from.Row.Name + "-2", from.Metric.Name, from.Metric.Take, from.Metric.MeasuredBy ?? "", from.Metric.Variant ?? "");
        (direction, method, maxTrials, parallel, seed) = (from.Row.Minimise ? "minimise" : "maximise", from.Plan.Method, Text(from.Plan.MaxTrials), Text(from.Plan.Parallel), Text(from.Plan.Seed));
        (budget, minBudget, eta, rungs) = (from.Plan.Halving.Budget, Text(from.Plan.Halving.MinBudget), Text(from.Plan.Halving.Eta), Text(from.Plan.Halving.Rungs));
        Check();
    }

    private static string Text(int number) => number.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>What the runs are that were counted.</summary>
    private string Promise
    {
        get
        {
            var plan = document!.Plan;
            var text = $"{(plan.Runs() == 1 ? "run" : "runs")} of {document.Stage}";
            if (plan.Method == SweepMethods.Halving)
                text += " in rungs: " + string.Join(", ", SuccessiveHalving.Sizes(plan.First, plan.Halving).Select((n, i) => $"{n} with {plan.Halving.Budget} {SuccessiveHalving.BudgetOf(plan.Halving, i)}"));
            return text + $"; {plan.Parallel} at a time." + (shared.Count > 0 ? $" Once for all: {string.Join(", ", shared)}." : "");
        }
    }

    /// <summary>Which way a metric is better is known where the metric is.</summary>
    private void ChooseMetric(string chosen)
    {
        metric = chosen;
        if (EvaluationTasks.All.FirstOrDefault(t => t.FullName == chosen) is { } task)
            direction = task.HigherIsBetter ? "maximise" : "minimise";
    }

    private void Set(Action change)
    {
        change();
        Check();
    }

    private void Check()
    {
        problems.Clear();
        document = null;
        shared = [];
        if (source is null)
            return;
        var found = new List<FieldProblem>();
        var pipelineYaml = SweepDocument.TryWithFixed(Yaml, sourceYaml, problems);
        var given = problems.Count > 0 ? source : PipelineDocument.TryParse(pipelineYaml, found);
        // A parameter's place in the pipeline means nothing here: it was typed into this form.
        var place = $"stages[{source.Stages.Index().FirstOrDefault(s => s.Item.Name == stage).Index}].with.";
        problems.AddRange(found.Select(p => p.Path.StartsWith(place, StringComparison.Ordinal) ? new FieldProblem("with." + p.Path[place.Length..], p.Message) : p));
        document = SweepDocument.TryParse(Yaml, given ?? source, problems);
        if (problems.Count > 0)
            document = null;
        shared = document is null ? [] : TrialDocument.Shared(source, document.Stage, document.Metric);
    }

    /// <summary>What is wrong with one input, which the document knows by this path.</summary>
    private string? ErrorOf(string path) => problems.Where(p => p.Path == path || p.Path.StartsWith(path + " ", StringComparison.Ordinal) || p.Path.StartsWith(path + ".", StringComparison.Ordinal)).Select(p => p.Message).FirstOrDefault();

    private Dictionary<string, string> FixedErrors => Fixed.Select(f => (f.Name, Error: ErrorOf("with." + f.Name))).Where(f => f.Error is not null).ToDictionary(f => f.Name, f => f.Error!);

    /// <summary>What is the same in every trial: all that is neither varied nor set by the rungs.</summary>
    private IReadOnlyList<ParameterField> Fixed => Stages.FirstOrDefault(s => s.Name == stage) is not { } found ? []
        : [.. StageForm.Fields(found.Kind).Where(f => f.Name != "resume_from" && !drafts.Any(d => d.IsOn && d.Field.Name == f.Name) && !(method == SweepMethods.Halving && f.Name == budget))];

    private Dictionary<string, string> FixedValues
    {
        get
        {
            var values = Stages.FirstOrDefault(s => s.Name == stage) is { } found ? StageForm.Values(found.Parameters).ToDictionary(v => v.Key, v => v.Value) : [];
            foreach (var (key, value) in changed)
                values[key] = value;
            return values;
        }
    }

    /// <summary>An emptied field means what the pipeline says.</summary>
    private void SetFixed(IReadOnlyDictionary<string, string> next)
    {
        var written = StageForm.Values(Stages.Single(s => s.Name == stage).Parameters);
        changed = next.Where(v => written.GetValueOrDefault(v.Key) != v.Value).ToDictionary(v => v.Key, v => v.Value);
        Check();
    }

    private string FixedYaml()
    {
        var known = Stages.FirstOrDefault(s => s.Name == stage) is { } found ? StageFields.Of(found.Kind) : [];
        var kept = Fixed.Select(f => f.Name).ToHashSet();
        return string.Join(", ", known.Where(f => changed.ContainsKey(f.Name) && kept.Contains(f.Name)).Select(f =>
            $"{f.Name}: {(f.Type is FieldType.List or FieldType.Text ? StageForm.ToYaml(f, changed[f.Name]) ?? "\"\"" : DimensionDraft.Scalar(changed[f.Name]))}"));
    }

    private string Yaml
    {
        get
        {
            var yaml = new StringBuilder();
            void Line(string key, string value) => yaml.Append(key).Append(": ").AppendLine(DimensionDraft.Scalar(value.Trim()));
            Line("name", name);
            Line("pipeline", pipeline);
            Line("stage", stage);
            if (FixedYaml() is { Length: > 0 } given)
                yaml.AppendLine("with: {" + given + "}");
            yaml.AppendLine("space:");
            foreach (var draft in drafts.Where(d => d.IsOn))
                yaml.Append("  ").Append(draft.Field.Name).Append(": ").AppendLine(draft.ToYaml());
            Line("metric", metric);
            if (measuredBy.Length > 0)
                Line("measured_by", measuredBy);
            if (measuredBy.Length > 0 && variant.Length > 0)
                Line("variant", variant);
            if (measuredBy.Length == 0)
                Line("take", take);
            Line("direction", direction);
            Line("method", method);
            if (method == SweepMethods.Halving)
                yaml.AppendLine("halving: {" + $"budget: {budget}, min_budget: {DimensionDraft.Scalar(minBudget)}, eta: {DimensionDraft.Scalar(eta)}, rungs: {DimensionDraft.Scalar(rungs)}" + "}");
            Line("max_trials", maxTrials);
            Line("parallel", parallel);
            Line("seed", seed);
            return yaml.ToString();
        }
    }

    private async Task StartAsync()
    {
        var sweep = await Start.StartAsync(Yaml, Actor);
        Navigation.NavigateTo($"/sweeps/{sweep.Name}");
    }
}
