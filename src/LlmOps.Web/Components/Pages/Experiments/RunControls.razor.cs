using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Experiments;

/// <summary>What a person can do about a training that is not over.</summary>
public sealed partial class RunControls
{
    [Inject] private ControlTraining Training { get; set; } = null!;
    [Inject] private CancelJobUseCase CancelJob { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public Guid RunId { get; set; }
    [Parameter, EditorRequired] public Guid JobId { get; set; }
    [Parameter, EditorRequired] public JobState State { get; set; }
    [Parameter, EditorRequired] public string Control { get; set; } = "";
    [Parameter] public int Attempt { get; set; }
    [Parameter] public bool CancelRequested { get; set; }
    /// <summary>False where the page has a button of its own that cancels.</summary>
    [Parameter] public bool WithCancel { get; set; } = true;
    [Parameter, EditorRequired] public EventCallback OnChanged { get; set; }

    private string? Objection => Actor.Objection(Permission.RunPipelines);

    private string? Against(Func<JobState, string, int, string?> rule) => Objection ?? (CancelRequested ? "It is being cancelled." : rule(State, Control, Attempt));

    private async Task AskAsync(Func<Guid, Actor, CancellationToken, Task> ask)
    {
        await ask(RunId, Actor, CancellationToken.None);
        await OnChanged.InvokeAsync();
    }

    private async Task CancelAsync()
    {
        await CancelJob.CancelAsync(JobId, Actor);
        await OnChanged.InvokeAsync();
    }
}
