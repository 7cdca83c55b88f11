using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>A model's environments with their rules, the way back, and what each held at any time.</summary>
public sealed partial class EnvironmentList
{
    private IReadOnlyList<ModelEnvironment> environments = [];
    private string alias = ReadVersion.ChampionAlias;
    private DateTime at;
    private AliasHolder? holder;
    private EnvironmentForm? edit;
    private bool looked;

    [Inject] private ReadAliasHistory History { get; set; } = null!;
    [Inject] private RequestRollback Rollback { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public ModelDetail Model { get; set; } = null!;

    private string? Objection => Actor.May(Permission.Approve) || Actor.May(Permission.WriteModels) ? null : "Only an engineer, a release manager or an administrator can ask for a rollback.";

    private string? EditObjection => Actor.May(Permission.Administer) ? null : "Only an administrator sets the rules that others decide under.";

    protected override Task OnInitializedAsync()
    {
        at = Clock.GetUtcNow().UtcDateTime;
        return ReadAsync();
    }

    private async Task ReadAsync()
    {
        environments = await History.EnvironmentsAsync(Model.Name);
        if (environments.All(e => e.Alias != alias))
            alias = environments[^1].Alias;
    }

    private async Task LookAsync()
    {
        (holder, looked) = (await History.AtAsync(Model.Name, alias, new DateTimeOffset(at, TimeSpan.Zero)), true);
        // The button renders itself only.
        StateHasChanged();
    }

    private async Task RollBackAsync(string name)
    {
        var request = await Rollback.RequestAsync(Model.Name, name, null, Actor);
        Navigation.NavigateTo($"/approvals/{request.Id}");
    }
}
