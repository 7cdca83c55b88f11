using LlmOps.Lifecycle.Registry;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

public sealed partial class VersionServingTab
{
    private IReadOnlyList<ServingRow>? serving;

    [Inject] private ReadLineage Lineages { get; set; } = null!;

    [Parameter, EditorRequired] public VersionDetail Version { get; set; } = null!;

    protected override async Task OnParametersSetAsync() => serving = await Lineages.ServingAsync(Version.Id);
}
