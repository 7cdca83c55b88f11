using System.Globalization;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Deployments;

/// <summary>Revisions with their share of the requests, which can be moved.</summary>
public sealed partial class RevisionTable
{
    private Dictionary<int, int> shares = [];
    private bool editing;

    [Inject] private ShiftTraffic Traffic { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public DeploymentDetail Deployment { get; set; } = null!;
    [Parameter] public EventCallback OnChanged { get; set; }

    private string? Objection => Actor.Objection(Permission.Deploy) ?? (Deployment.Revisions.Count < 2 ? "There is only one revision." : null);
    private int Sum => shares.Values.Sum();

    private Task EditAsync()
    {
        shares = Deployment.Revisions.ToDictionary(r => r.Number, r => r.TrafficPercent);
        editing = true;
        StateHasChanged();
        return Task.CompletedTask;
    }

    private void Set(int revision, string? text) => shares[revision] = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var share) ? share : 0;

    private async Task SaveAsync()
    {
        await Traffic.ShiftAsync(Deployment.Row.Name, shares, Actor);
        editing = false;
        await OnChanged.InvokeAsync();
    }
}
