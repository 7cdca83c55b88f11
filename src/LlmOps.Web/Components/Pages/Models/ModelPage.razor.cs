using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

public sealed partial class ModelPage
{
    private ModelDetail? model;
    private DataTable<VersionRow>? versions;
    private long? moves;
    private IReadOnlyList<AliasHolder> overrides = [];

    [Inject] private ReadModels Models { get; set; } = null!;
    [Inject] private ReadAliasHistory History { get; set; } = null!;

    [Parameter] public string Name { get; set; } = "";
    [SupplyParameterFromQuery(Name = "q")] private string? Search { get; set; }

    protected override async Task OnParametersSetAsync()
    {
        if (model?.Name == Name) return;
        model = null;
        await ReadAsync();
    }

    private async Task ReadAsync()
    {
        overrides = await History.OverridesAsync(Name);
        model = await Models.GetAsync(Name);
    }

    private async Task RefreshAsync()
    {
        await ReadAsync();
        if (versions is not null) await versions.RefreshAsync();
    }

    private Task<Window<VersionRow>> ReadVersionsAsync(TableRequest r, CancellationToken ct) =>
        Models.VersionsAsync(model!.Id, new(Search, r.Sort, r.Descending, r.Skip, r.Take), ct);
}
