using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>The forms of a version side by side, with what the gate said about each.</summary>
public sealed partial class VersionQualityTab
{
    [Parameter, EditorRequired] public VersionDetail Version { get; set; } = null!;
    [Parameter, EditorRequired] public Measurements? Measurements { get; set; }

    private IReadOnlyList<VariantMeasurement> Shown => Measurements!.Variants;

    /// <summary>The chosen (else the first) form against the champion in words, from the intervals only.</summary>
    private string Verdict
    {
        get
        {
            var form = Shown.FirstOrDefault(v => v.Chosen && v.Differences.Count > 0) ?? Shown.First(v => v.Differences.Count > 0);
            string[] Names(string judgement) => [.. form.Differences.Values.Where(d => Judge(d) == judgement && d.Name != EvaluationTasks.Size.FullName)
                .Select(d => Measured.Label(EvaluationTasks.All.First(t => t.FullName == d.Name)).ToLowerInvariant())];
            string[] better = Names("better"), worse = Names("worse"), open = Names("open");
            var parts = new List<string>();
            if (better.Length > 0) parts.Add("better in " + string.Join(", ", better));
            if (worse.Length > 0) parts.Add("worse in " + string.Join(", ", worse));
            if (open.Length > 0) parts.Add($"no clear difference in {string.Join(", ", open)}");
            var champion = Measurements!.Champion!;
            return $"{form.Variant} against {ReadVersion.ChampionAlias} ({champion.Version}{(champion.Variant is null ? "" : ":" + champion.Variant)}): {string.Join("; ", parts)}.";
        }
    }

    private static string Judge(MeasuredMetric d) => d.Low > 0 ? d.HigherIsBetter ? "better" : "worse" : d.High < 0 ? d.HigherIsBetter ? "worse" : "better" : "open";

    private static string Word(Verdict verdict) => verdict switch { Lifecycle.Promotion.Verdict.Pass => "Passed", Lifecycle.Promotion.Verdict.Fail => "Failed", _ => "CannotTell" };
}
