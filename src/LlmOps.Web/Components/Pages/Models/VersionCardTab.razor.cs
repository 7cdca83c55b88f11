using LlmOps.Lifecycle.Promotion.Attestations;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>The model card, generated.</summary>
public sealed partial class VersionCardTab
{
    private string? card;
    private string front = "";

    [Inject] private ReadModels Models { get; set; } = null!;
    [Inject] private ReadLineage Lineages { get; set; } = null!;
    [Inject] private ReadAttestations Attestations { get; set; } = null!;
    [Inject] private Browser Browser { get; set; } = null!;

    [Parameter, EditorRequired] public VersionDetail Version { get; set; } = null!;
    [Parameter, EditorRequired] public Measurements? Measurements { get; set; }

    protected override async Task OnParametersSetAsync()
    {
        if (Measurements is null) return;
        var model = await Models.GetAsync(Version.Model);
        var lineage = await Lineages.OfAsync(Version);
        front = CardFrontMatter.Write(Version, Measurements, lineage);
        card = ModelCard.Write(Version, model.Description, Measurements, lineage) + ModelCard.Promotions(await Attestations.OfVersionAsync(Version.Key));
    }
}
