using LlmOps.Lifecycle.Datasets;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Datasets;

public sealed partial class DatasetUsesTab
{
    private DatasetUses? uses;

    [Inject] private ReadDatasets Datasets { get; set; } = null!;

    [Parameter, EditorRequired] public DatasetVersionDetail Version { get; set; } = null!;

    protected override async Task OnParametersSetAsync() => uses = await Datasets.UsesAsync(Version.Key);
}
