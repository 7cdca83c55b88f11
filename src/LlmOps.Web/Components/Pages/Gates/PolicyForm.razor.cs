using System.Globalization;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Gates;

/// <summary>A policy as fields. Every change gives a new document; the page turns it into text and says what is wrong with it.</summary>
public sealed partial class PolicyForm
{
    private static readonly (PolicyRuleKind Kind, string Word)[] Kinds =
    [
        (PolicyRuleKind.NonInferiority, "Not worse than the champion"), (PolicyRuleKind.Improvement, "Better than the champion"), (PolicyRuleKind.Slices, "No slice worse"),
        (PolicyRuleKind.Threshold, "Threshold"), (PolicyRuleKind.Budget, "Budget"),
    ];
    private static readonly IReadOnlyList<ParameterField> Fields =
    [
        new("name", ParameterKind.Text) { Label = "Name", Required = true, Help = "Lower-case letters, digits and dashes." },
        new("description", ParameterKind.Text) { Label = "What it is for" },
        new("alpha", ParameterKind.Number) { Label = "False-alarm rate", Min = 0.0001, Max = 0.5, Default = "0.05", Help = "One-sided: how often a candidate that lies exactly on a bound is refused." },
        new("power", ParameterKind.Number) { Label = "Power", Min = 0.5, Max = 0.999, Default = "0.8", Help = "With how many rows “cannot tell” asks for." },
        new("correction", ParameterKind.Choice) { Label = "Correction", Allowed = ["holm", "none"], Default = "holm", Help = "Holm keeps the false-alarm rate over all rules together." },
        new("looks", ParameterKind.Integer) { Label = "Looks", Min = 1, Max = 20, Default = "1", Help = "How often one candidate may be judged with more rows; the looks share the false-alarm rate." },
        new("minimum_rows", ParameterKind.Integer) { Label = "Minimum rows", Unit = "rows", Min = 2, Max = 1e8, Default = "2" },
        new("maximum_missing", ParameterKind.Number) { Label = "Missing rows allowed", Unit = "share", Min = 0, Max = 1, Default = "0.02" },
    ];
    private static readonly IReadOnlyList<string> metrics = [.. EvaluationTasks.All.Select(t => t.FullName), "size_bytes", "cost_usd"];

    [Parameter, EditorRequired] public PolicyDocument Document { get; set; } = null!;
    [Parameter, EditorRequired] public EventCallback<PolicyDocument> Changed { get; set; }

    private Dictionary<string, string> Values => new()
    {
        ["name"] = Document.Name, ["description"] = Document.Description, ["alpha"] = Number(Document.Alpha), ["power"] = Number(Document.Power),
        ["correction"] = Document.Correction == PolicyCorrection.Holm ? "holm" : "none", ["looks"] = Number(Document.Looks), ["minimum_rows"] = Number(Document.MinimumRows), ["maximum_missing"] = Number(Document.MaximumMissing),
    };

    private Task SetValues(IReadOnlyDictionary<string, string> values)
    {
        string Text(string name) => values.GetValueOrDefault(name, Fields.First(f => f.Name == name).Default ?? "");
        // What is no number stays what it was; the field itself says what is wrong.
        double Real(string name, double was) => double.TryParse(Text(name), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : was;
        return Changed.InvokeAsync(Document with
        {
            Name = Text("name"), Description = Text("description"), Alpha = Real("alpha", Document.Alpha), Power = Real("power", Document.Power),
            Correction = Text("correction") == "none" ? PolicyCorrection.None : PolicyCorrection.Holm, Looks = (int)Real("looks", Document.Looks),
            MinimumRows = (int)Real("minimum_rows", Document.MinimumRows), MaximumMissing = Real("maximum_missing", Document.MaximumMissing),
        });
    }

    private Task Replace(int index, PolicyRule? rule) => Changed.InvokeAsync(Document with { Rules = [.. Document.Rules.Take(index), .. rule is null ? Array.Empty<PolicyRule>() : [rule], .. Document.Rules.Skip(index + 1)] });

    private Task SetBound(int index, PolicyRule rule, string? text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var bound) ? Replace(index, rule with { Bound = bound }) : Task.CompletedTask;

    private Task Add() => Changed.InvokeAsync(Document with { Rules = [.. Document.Rules, new(PolicyRuleKind.NonInferiority, metrics.First(m => Document.Rules.All(r => r.Metric != m)), "", 0.05)] });

    private static PolicyRule As(PolicyRule rule, PolicyRuleKind kind) => new(kind, rule.Metric, kind switch { PolicyRuleKind.Threshold => ">=", PolicyRuleKind.Budget => "<=", _ => "" }, kind is PolicyRuleKind.Threshold or PolicyRuleKind.Budget ? rule.Bound : Math.Abs(rule.Bound));

    private bool Has(PolicyRuleKind kind) => Document.Rules.Any(r => r.Kind == kind);

    private Task Demand(PolicyRuleKind kind, bool wanted) =>
        Changed.InvokeAsync(Document with { Rules = wanted ? [.. Document.Rules, new(kind)] : [.. Document.Rules.Where(r => r.Kind != kind)] });

    private Task Licences(IReadOnlyList<string> names)
    {
        var others = Document.Rules.Where(r => r.Kind != PolicyRuleKind.Licence);
        return Changed.InvokeAsync(Document with { Rules = names.Count == 0 ? [.. others] : [.. others, new(PolicyRuleKind.Licence, Names: names)] });
    }

    private static IReadOnlyList<string> Split(string? text) => (text ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static string Number(double value) => value.ToString("0.##############", CultureInfo.InvariantCulture);
}
