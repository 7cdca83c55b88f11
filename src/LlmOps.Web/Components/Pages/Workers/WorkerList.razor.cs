using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Workers;

public sealed partial class WorkerList
{
    private IReadOnlyList<WorkerRow>? workers;
    private DataTable<JobRow>? open;
    private int total;

    [Inject] private ReadWorkers Workers { get; set; } = null!;
    [Inject] private ReadJobs Jobs { get; set; } = null!;
    [Inject] private CancelJobUseCase Cancel { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    private string? Objection => Actor.Objection(Permission.RunPipelines);
    private int queued => Math.Max(0, total - workers!.Sum(w => w.Running.Count));

    protected override Task OnInitializedAsync() => ReadAsync();

    private static string Place(JobRow job) => $"/pipeline-runs/{job.PipelineRunId}?stage={job.Stage}";

    private async Task ReadAsync()
    {
        workers = await Workers.ListAsync();
        if (open is not null) await open.RefreshAsync();
    }

    private Task<Window<JobRow>> ReadOpenAsync(TableRequest request, CancellationToken ct) => Jobs.OpenAsync(request.Skip, request.Take, ct);

    private async Task CancelAsync(JobRow job)
    {
        await Cancel.CancelAsync(job.Id, Actor);
        await ReadAsync();
        StateHasChanged();
    }
}
