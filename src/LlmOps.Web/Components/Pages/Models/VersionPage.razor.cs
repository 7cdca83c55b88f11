using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

public sealed partial class VersionPage
{
    private static readonly EvaluationTask[] KeyTasks = [EvaluationTasks.Definitions, EvaluationTasks.Preference, EvaluationTasks.Decode];
    private VersionDetail? version;
    private Measurements? measurements;
    private PromotionDialog? promotion;
    private IReadOnlyList<AliasHolder> overrides = [];

    [Inject] private ReadVersion Versions { get; set; } = null!;
    [Inject] private ReadAliasHistory History { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter] public string Name { get; set; } = "";
    [Parameter] public int Number { get; set; }

    /// <summary>The form whose numbers stand in the header: what an alias runs, else what the gate chose, else the first that was measured.</summary>
    private VariantMeasurement? Best => measurements?.Variants.Where(v => v.Metrics.Count > 0)
        .OrderByDescending(v => version!.Aliases.Any(a => a.Variant == v.Variant)).ThenByDescending(v => v.Chosen).ThenBy(v => v.Variant == "checkpoint").FirstOrDefault();

    private string? ChampionName => measurements?.Champion is { } c ? $"{ReadVersion.ChampionAlias} ({c.Version}{(c.Variant is null ? "" : ":" + c.Variant)})" : null;

    private string? Objection => (Actor.May(Permission.Approve) ? null : Actor.Objection(Permission.WriteModels)) ?? (version!.Variants.Count == 0 ? "There is no variant that could run. Export the version first." : null);

    protected override async Task OnParametersSetAsync()
    {
        if (version?.Model == Name && version.Number == Number) return;
        (version, measurements) = (null, null);
        await ReadAsync();
    }

    /// <summary>The facts first: differences to the champion take a moment, so they are left out of the first paint.</summary>
    private async Task ReadAsync()
    {
        version = await Versions.GetAsync(new VersionKey(Name, Number));
        overrides = await History.OverridesAsync(Name);
        if (!RendererInfo.IsInteractive) return;
        if (measurements is null) StateHasChanged();
        measurements = await Versions.MeasurementsAsync(version);
    }

    private Task ChooseAsync(string variant) => promotion!.OpenAsync(variant);

    /// <summary>Only a difference whose whole interval is on one side gets a colour.</summary>
    private static bool IsClear(VariantMeasurement form, MeasuredMetric metric) => form.Differences.TryGetValue(metric.Name, out var d) && (d.Low > 0 || d.High < 0);

    private static double? Delta(VariantMeasurement form, MeasuredMetric metric) =>
        form.Differences.TryGetValue(metric.Name, out var d) ? Measured.Scaled(d.Value, d.Unit) : null;
}
