using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>Asks for an alias to move to one variant of this version, then leads to the request.</summary>
public sealed partial class PromotionDialog
{
    private ModalDialog? dialog;
    private ModelDetail? model;
    private string variant = "";
    private string alias = ReadVersion.ChampionAlias;
    private string reason = "";
    private bool overriding, tried;

    [Inject] private RequestPromotion Promotion { get; set; } = null!;
    [Inject] private ReadModels Models { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public VersionDetail Version { get; set; } = null!;
    [Parameter, EditorRequired] public Measurements? Measurements { get; set; }

    private string Holder => model?.Aliases.FirstOrDefault(a => a.Name == alias) is { } held
        ? $"Points to version {held.Number}{(held.Variant is null ? "" : $", {held.Variant}")} now." : "No version holds this alias yet.";

    /// <param name="wanted">Variant to begin with; the one the gate chose when null.</param>
    public async Task OpenAsync(string? wanted = null)
    {
        model = await Models.GetAsync(Version.Model);
        // Who may sign but not write models can ask for nothing else.
        (overriding, reason, tried) = (!Actor.May(Permission.WriteModels), "", false);
        variant = wanted ?? Measurements?.Variants.FirstOrDefault(v => v.Chosen)?.Variant ?? (Version.Variants is [var first, ..] ? first.Name : "");
        await dialog!.OpenAsync();
    }

    private string? VerdictOf(string name) => Measurements?.Variants.FirstOrDefault(v => v.Variant == name)?.Verdict switch
    {
        Verdict.Pass => " · gate passed",
        Verdict.Fail => " · gate failed",
        Verdict.CannotTell => " · gate cannot tell",
        _ => null,
    };

    private string? ReasonProblem => tried && overriding && reason.Trim().Length < RequestPromotion.ShortestReason
        ? $"Say why in at least {RequestPromotion.ShortestReason} characters." : null;

    private async Task RequestAsync()
    {
        tried = true;
        if (ReasonProblem is not null)
        {
            StateHasChanged();
            return;
        }
        var request = await Promotion.RequestAsync(new PromotionOrder(Version.Key.ToString(), variant, alias.Trim(), overriding ? PromotionKind.Override : PromotionKind.Promotion, overriding ? reason : null), Actor);
        await dialog!.CloseAsync();
        Navigation.NavigateTo($"/approvals/{request.Id}");
    }
}
