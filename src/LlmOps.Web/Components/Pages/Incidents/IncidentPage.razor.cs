using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Scheduling;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Incidents;

/// <summary>One regression: what broke, who looks at it, what was done.</summary>
public sealed partial class IncidentPage
{
    private IncidentRow? incident;
    private string text = "";

    [Inject] private ReadIncidents Incidents { get; set; } = null!;
    [Inject] private HandleIncident Handle { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter] public Guid Id { get; set; }

    private string? Objection => HandleIncident.Objection(Actor);
    private string? Missing => Objection ?? (text.Trim().Length == 0 ? "Write the note first." : null);

    protected override Task OnParametersSetAsync() => ReadAsync();

    private async Task ReadAsync() => incident = await Incidents.GetAsync(Id);

    private async Task AcknowledgeAsync()
    {
        await Handle.AcknowledgeAsync(Id, Actor);
        await ReadAsync();
        StateHasChanged();
    }

    private async Task ResolveAsync()
    {
        await Handle.ResolveAsync(Id, text, Actor);
        await ReadAsync();
        StateHasChanged();
    }
}
