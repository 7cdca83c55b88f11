using LlmOps.Lifecycle.Scheduling;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Incidents;

/// <summary>What regressed and is not resolved; nothing at all when nothing is.</summary>
public sealed partial class OpenIncidents
{
    private IReadOnlyList<IncidentRow> open = [];

    [Inject] private ReadIncidents Incidents { get; set; } = null!;

    protected override Task OnInitializedAsync() => ReadAsync();

    private async Task ReadAsync() => open = await Incidents.ListAsync(openOnly: true);
}
