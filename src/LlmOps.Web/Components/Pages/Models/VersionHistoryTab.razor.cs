using LlmOps.Lifecycle.Registry;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>What happened to a version, newest first.</summary>
public sealed partial class VersionHistoryTab
{
    private IReadOnlyList<VersionEvent>? events;

    [Inject] private ReadLineage Lineages { get; set; } = null!;

    [Parameter, EditorRequired] public VersionDetail Version { get; set; } = null!;

    protected override async Task OnParametersSetAsync() => events = await Lineages.HistoryAsync(Version);
}
