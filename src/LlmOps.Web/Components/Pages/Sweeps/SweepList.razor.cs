using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Sweeps;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Sweeps;

public sealed partial class SweepList
{
    private static readonly IReadOnlyList<string> States = Enum.GetNames<SweepState>();
    private DataTable<SweepRow>? table;
    private int? total;

    [Inject] private ReadSweeps Sweeps { get; set; } = null!;
    [SupplyParameterFromQuery(Name = "q")] private string? Search { get; set; }
    [SupplyParameterFromQuery] private string? State { get; set; }

    private Task<Window<SweepRow>> ReadAsync(TableRequest request, CancellationToken ct) =>
        Sweeps.ListAsync(new(Search, Skip: request.Skip, Take: request.Take), Enum.TryParse<SweepState>(State, out var state) ? state : null, ct);
}
