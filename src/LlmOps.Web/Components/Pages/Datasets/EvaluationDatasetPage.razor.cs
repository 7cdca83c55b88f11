using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Datasets;

public sealed partial class EvaluationDatasetPage
{
    private const int Longest = 300;
    private EvaluationDatasetDetail? detail;
    private DataTable<EvaluationRecord>? table;

    [Inject] private ReadEvaluationDatasets Datasets { get; set; } = null!;

    [Parameter] public Guid Id { get; set; }

    protected override async Task OnParametersSetAsync() => detail = await Datasets.GetAsync(Id);

    private async Task RefreshAsync()
    {
        detail = await Datasets.GetAsync(Id);
        if (table is not null) await table.RefreshAsync();
    }

    private Task<Window<EvaluationRecord>> ReadAsync(TableRequest r, CancellationToken ct) => Datasets.WindowAsync(Id, r.Skip, r.Take, ct);

    private static string? Cut(string? json) => json is { Length: > Longest } ? json[..Longest] + "…" : json;

    private static string Origin(string? type) => type switch { "TRACE" => "a trace", "HUMAN" => "a person", "DOCUMENT" => "a document", "CODE" => "a program", _ => "" };
}
