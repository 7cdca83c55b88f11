using LlmOps.Lifecycle.Datasets;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Datasets;

public sealed partial class DatasetPage
{
    private DatasetVersionDetail? version;
    private IReadOnlyList<DatasetVersionRow> versions = [];

    [Inject] private ReadDatasets Datasets { get; set; } = null!;

    [Parameter] public string Name { get; set; } = "";
    [Parameter] public int Number { get; set; }

    protected override async Task OnParametersSetAsync()
    {
        if (version?.Name == Name && version.Number == Number) return;
        version = null;
        await ReadAsync();
    }

    private async Task ReadAsync()
    {
        // the version itself never changes; a newer one may have come
        var found = version ?? await Datasets.GetAsync(Name, Number);
        versions = await Datasets.VersionsAsync(found.DatasetId);
        version = found;
    }

    private string Share(int rows) => Display.Percent((double)rows / Math.Max(1, version!.TrainRows + version.HeldOutRows), 1) + " of usable rows";
}
