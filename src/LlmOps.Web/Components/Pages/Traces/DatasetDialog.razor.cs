using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Traces;

/// <summary>Asks where the rows of some traces go, adds them and opens the new version.</summary>
public sealed partial class DatasetDialog
{
    private ModalDialog? dialog;
    private IReadOnlyList<string> names = [];
    private DatasetKind kind = DatasetKind.Instruction;
    private string name = "";

    [Inject] private AddTracesToDataset Adding { get; set; } = null!;
    [Inject] private ReadDatasets Datasets { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public IReadOnlyCollection<string> Traces { get; set; } = [];

    public async Task OpenAsync()
    {
        names = [.. (await Datasets.ListAsync(new ListQuery(Take: 200), null)).Rows.Where(d => TraceRows.Kinds.Contains(d.Kind)).Select(d => d.Name)];
        StateHasChanged();
        await dialog!.OpenAsync();
    }

    private async Task AddAsync()
    {
        var added = await Adding.AddAsync(Traces, name.Trim(), kind, Actor);
        await dialog!.CloseAsync();
        Navigation.NavigateTo($"/datasets/{name.Trim()}/{added.Version.Number}");
    }
}
