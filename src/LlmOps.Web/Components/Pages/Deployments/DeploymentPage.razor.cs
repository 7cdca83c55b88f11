using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Deployments;

public sealed partial class DeploymentPage
{
    private DeploymentDetail? detail;

    [Inject] private ReadDeployments Deployments { get; set; } = null!;
    [Inject] private ShiftTraffic Traffic { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter] public string Name { get; set; } = "";

    /// <summary>The revision before the newest one that serves, as the use case chooses it.</summary>
    private RevisionRow? Previous
    {
        get
        {
            var serving = detail!.Revisions.FirstOrDefault(r => r.TrafficPercent > 0);
            return serving is null ? null : detail.Revisions.FirstOrDefault(r => r.Number < serving.Number);
        }
    }

    private string? RollbackObjection => Actor.Objection(Permission.Deploy) ?? (Previous is null ? "There is no earlier revision to go back to." : null);

    protected override async Task OnParametersSetAsync()
    {
        if (detail?.Row.Name == Name) return;
        detail = null;
        await ReadAsync();
    }

    private async Task ReadAsync() => detail = await Deployments.GetAsync(Name);

    private async Task RollbackAsync()
    {
        await Traffic.RollbackAsync(Name, Actor);
        await ReadAsync();
        StateHasChanged();
    }
}
