using System.Globalization;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing.Drift;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Deployments;

/// <summary>Changes how a deployment's traffic is compared with its past. What is wrong stands beside its field; the same rules hold as over HTTP.</summary>
public sealed partial class DriftPolicyForm
{
    private const string Watching = "Watched", Traces = "Which traces", Limits = "What is tolerated", Refusing = "What is a refusal";
    private static readonly DriftPolicy Usual = new();

    private static readonly IReadOnlyList<ParameterField> Fields =
    [
        new(Watching, ParameterKind.Boolean) { Label = "The server looks by itself", Default = "false", Help = "And opens an incident when it drifts." },
        Whole(nameof(DriftPolicy.EveryHours), "It looks every", "hours", Usual.EveryHours, 1, 720, null),
        Whole(nameof(DriftPolicy.WindowHours), "Window", "hours", Usual.WindowHours, 1, 2160, "The newest traces, up to now.", Traces),
        Whole(nameof(DriftPolicy.BaselineDays), "Baseline", "days", Usual.BaselineDays, 1, 365, "What lies before the window.", Traces),
        Whole(nameof(DriftPolicy.LeastTraces), "Fewest traces of each side", null, Usual.LeastTraces, 20, 5000, "With fewer nothing is said.", Traces),
        Whole(nameof(DriftPolicy.MostTraces), "Most traces of each side", null, Usual.MostTraces, 20, 5000, "Drawn at random when there are more; more traces make narrower intervals.", Traces),
        Whole(nameof(DriftPolicy.Seed), "Seed", null, Usual.Seed, null, null, "Of the sample and of the resampling: the same seed and traces give the same numbers.", Traces),
        Real(nameof(DriftPolicy.PsiThreshold), "Stability index of lengths and latency", Usual.PsiThreshold, "0.1 is usually called some drift, 0.25 much."),
        Real(nameof(DriftPolicy.KsThreshold), "Kolmogorov–Smirnov distance of lengths and latency", Usual.KsThreshold, "The largest difference of the shares below any value."),
        Real(nameof(DriftPolicy.RefusalThreshold), "Difference of the shares of refusals", Usual.RefusalThreshold, "0.02 are two of a hundred answers, more or fewer."),
        Real(nameof(DriftPolicy.MmdThreshold), "Kernel distance MMD² of the questions' meaning", Usual.MmdThreshold, "0 to 2; small numbers are much."),
        Real(nameof(DriftPolicy.Alpha), "Alpha", Usual.Alpha, "How often all measures together may speak of drift where there is none.") with { Min = 0.001, Max = 0.2 },
        new(nameof(DriftPolicy.RefusalPhrases), ParameterKind.Multiline) { Label = "Phrases of refusals", Group = Refusing, GroupOpen = true,
            Help = $"One a line, in any language: what this deployment says at the beginning of an answer when it refuses, for example 'Das kann ich leider nicht'. At most {DriftPolicy.MostPhrases}. A content filter's signal and English phrases are known without them." },
    ];

    private ModalDialog? dialog;
    private ParametersForm? form;
    private Dictionary<string, string> values = [], errors = [];

    [Inject] private SetDriftWatch Set { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public string Deployment { get; set; } = "";
    [Parameter] public EventCallback OnSaved { get; set; }

    private string? Objection => Actor.Objection(Permission.Deploy);

    public async Task OpenAsync(DriftPolicy policy, bool watched)
    {
        errors = [];
        values = new()
        {
            [Watching] = watched ? "true" : "false", [nameof(DriftPolicy.EveryHours)] = Text(policy.EveryHours), [nameof(DriftPolicy.WindowHours)] = Text(policy.WindowHours), [nameof(DriftPolicy.BaselineDays)] = Text(policy.BaselineDays),
            [nameof(DriftPolicy.LeastTraces)] = Text(policy.LeastTraces), [nameof(DriftPolicy.MostTraces)] = Text(policy.MostTraces), [nameof(DriftPolicy.Seed)] = Text(policy.Seed), [nameof(DriftPolicy.PsiThreshold)] = Text(policy.PsiThreshold),
            [nameof(DriftPolicy.KsThreshold)] = Text(policy.KsThreshold), [nameof(DriftPolicy.RefusalThreshold)] = Text(policy.RefusalThreshold), [nameof(DriftPolicy.MmdThreshold)] = Text(policy.MmdThreshold), [nameof(DriftPolicy.Alpha)] = Text(policy.Alpha),
        };
        if (policy.RefusalPhrases is { Count: > 0 } phrases)
            values[nameof(DriftPolicy.RefusalPhrases)] = string.Join('\n', phrases);
        StateHasChanged();
        await dialog!.OpenAsync();
    }

    private void Change(IReadOnlyDictionary<string, string> changed)
    {
        values = changed.ToDictionary();
        // What was wrong may be right now; saving looks again.
        errors = [];
    }

    private async Task SaveAsync()
    {
        errors = [];
        // Fields that are no numbers have no policy yet; what is wrong stands beside them.
        if (form!.Validate())
        {
            var policy = Asked();
            if (values.TryGetValue(nameof(DriftPolicy.Seed), out var seed) && !int.TryParse(seed, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _))
                errors[nameof(DriftPolicy.Seed)] = $"A seed is a whole number up to {int.MaxValue}.";
            else
                errors = policy.Problems().DistinctBy(p => p.Field).ToDictionary(p => p.Field, p => p.Text);
            if (errors.Count == 0)
            {
                await Set.SetAsync(Deployment, policy, values.GetValueOrDefault(Watching) == "true", Actor);
                await dialog!.CloseAsync();
                await OnSaved.InvokeAsync();
            }
        }
        StateHasChanged();
    }

    private DriftPolicy Asked() => new(Int(nameof(DriftPolicy.BaselineDays), Usual.BaselineDays), Int(nameof(DriftPolicy.WindowHours), Usual.WindowHours), Int(nameof(DriftPolicy.MostTraces), Usual.MostTraces), Int(nameof(DriftPolicy.LeastTraces), Usual.LeastTraces),
        Int(nameof(DriftPolicy.Seed), Usual.Seed), Number(nameof(DriftPolicy.Alpha), Usual.Alpha), Number(nameof(DriftPolicy.PsiThreshold), Usual.PsiThreshold), Number(nameof(DriftPolicy.KsThreshold), Usual.KsThreshold),
        Number(nameof(DriftPolicy.RefusalThreshold), Usual.RefusalThreshold), Number(nameof(DriftPolicy.MmdThreshold), Usual.MmdThreshold), Int(nameof(DriftPolicy.EveryHours), Usual.EveryHours), Phrases());

    private string[]? Phrases() => values.GetValueOrDefault(nameof(DriftPolicy.RefusalPhrases))?.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) is { Length: > 0 } phrases ? phrases : null;

    private int Int(string name, int usual) => values.TryGetValue(name, out var text) && int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? value : usual;

    private double Number(string name, double usual) => values.TryGetValue(name, out var text) ? double.Parse(text, CultureInfo.InvariantCulture) : usual;

    private static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);

    private static ParameterField Whole(string name, string label, string? unit, int usual, int? min, int? max, string? help, string? group = null) =>
        new(name, ParameterKind.Integer) { Label = label, Unit = unit, Default = Text(usual), Min = min, Max = max, Help = help, Group = group, GroupOpen = group is not null };

    private static ParameterField Real(string name, string label, double usual, string help) =>
        new(name, ParameterKind.Number) { Label = label, Default = Text(usual), Min = 0, Max = 1.999, Help = help, Group = Limits, GroupOpen = true };
}
