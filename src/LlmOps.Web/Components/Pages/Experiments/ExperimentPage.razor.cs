using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Tracking.Search;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Experiments;

public sealed partial class ExperimentPage
{
    private static readonly IReadOnlyList<string> States = Enum.GetNames<RunState>();
    private ExperimentRow? experiment;
    private DataTable<RunRow>? table;
    private IReadOnlyCollection<string> selected = [];
    private FilteredRuns? found;

    [Inject] private ReadRuns Runs { get; set; } = null!;
    [Inject] private FilterRuns Filters { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [Parameter] public string Name { get; set; } = "";
    [SupplyParameterFromQuery(Name = "q")] private string? Search { get; set; }
    [SupplyParameterFromQuery] private string? State { get; set; }

    protected override async Task OnParametersSetAsync()
    {
        if (experiment?.Name == Name) return;
        (experiment, selected) = (null, []);
        experiment = await Runs.ExperimentAsync(Name);
    }

    private async Task RefreshAsync()
    {
        experiment = await Runs.ExperimentAsync(Name);
        if (table is not null) await table.RefreshAsync();
    }

    private async Task<Window<RunRow>> ReadAsync(TableRequest r, CancellationToken ct)
    {
        var now = FilterRuns.IsExpression(Search) ? await Filters.FindAsync(experiment!.Id, Search!, ct) : null;
        if (now?.Problem != found?.Problem || now?.More != found?.More)
            _ = InvokeAsync(StateHasChanged);
        found = now;
        return await Runs.ListAsync(experiment!.Id, new(found is null ? Search : null, r.Sort, r.Descending, r.Skip, r.Take), Enum.TryParse<RunState>(State, out var state) ? state : null, found?.Ids, ct);
    }

    private Task CompareAsync()
    {
        Navigation.NavigateTo($"/runs/compare?ids={string.Join(',', selected)}");
        return Task.CompletedTask;
    }

    private static double? Last(RunRow run, string key) => run.Last.TryGetValue(key, out var value) ? value : null;

    private static string Number(RunRow run, string key, int digits) => Last(run, key) is { } value ? Display.Number(value, digits) : "–";
}
