using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Pipelines;

/// <summary>A run as a live diagram, with the chosen stage below.</summary>
public sealed partial class PipelineRunPage
{
    private PipelineRunDetail? run;
    private StagePanel? panel;
    private DiagramModel diagram = new([], []);

    [Inject] private ReadPipelineRun Runs { get; set; } = null!;
    [Inject] private ControlPipeline Control { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter] public Guid Id { get; set; }
    [SupplyParameterFromQuery(Name = "stage")] private string? StageName { get; set; }

    private string? Objection => Actor.Objection(Permission.RunPipelines);

    private StageDetail? Waiting => run!.Stages.FirstOrDefault(s => s.State == StageState.WaitingForApproval);

    /// <summary>What the address names, else what needs looking at: running, failed, waiting, or the last that did something.</summary>
    private StageDetail? Selected => run!.Stages.FirstOrDefault(s => s.Name == StageName)
        ?? run.Stages.FirstOrDefault(s => s.State == StageState.Running) ?? run.Stages.FirstOrDefault(s => s.State == StageState.Failed) ?? Waiting
        ?? run.Stages.LastOrDefault(s => s.StartedAt is not null) ?? (run.Stages.Count > 0 ? run.Stages[0] : null);

    protected override async Task OnParametersSetAsync()
    {
        if (run?.Id == Id) return;
        run = null;
        await ReadAsync();
    }

    private async Task ReadAsync()
    {
        run = await Runs.GetAsync(Id);
        diagram = new([.. run.Stages.Select(Box)], [.. run.Stages.SelectMany(s => s.NeedNames.Select(n => new DiagramEdge(n, s.Name)))]);
        if (panel is not null) await panel.RefreshAsync();
    }

    private DiagramStage Box(StageDetail stage) => new(stage.Name, stage.Name, stage.Kind)
    {
        State = stage.State.ToString(),
        Progress = stage.State == StageState.Running ? stage.Progress : null,
        Detail = stage.State switch
        {
            StageState.Running => stage.ProgressText ?? stage.Kind,
            StageState.WaitingForApproval => "",
            StageState.Succeeded or StageState.Failed when stage.StartedAt is { } from && stage.EndedAt is { } to => Display.Duration((to - from).TotalMilliseconds),
            _ => stage.Kind,
        },
    };

    private void Choose(string? name)
    {
        if (name is not null) Navigation.NavigateTo(Navigation.GetUriWithQueryParameter("stage", name), replace: true);
    }

    private async Task CancelAsync()
    {
        await Control.CancelAsync(Id, Actor);
        await ReadAsync();
        StateHasChanged();
    }
}
