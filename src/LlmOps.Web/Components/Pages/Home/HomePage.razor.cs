using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Home;

/// <summary>What needs the person who looks.</summary>
public sealed partial class HomePage
{
    private Overview? overview;

    [Inject] private ReadOverview Overviews { get; set; } = null!;
    [Inject] private StartPipeline Start { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    protected override Task OnInitializedAsync() => ReadAsync();

    private async Task ReadAsync() => overview = await Overviews.ReadAsync(Actor);

    private async Task StartAsync(string name) => Navigation.NavigateTo($"/pipeline-runs/{(await Start.StartAsync(name, Actor)).Id}");

    private static string Href(RunningWork work) =>
        work.PipelineRunId is { } run ? $"/pipeline-runs/{run}?stage={Uri.EscapeDataString(work.Stage ?? "")}" : "/workers";

    /// <summary>By the pace so far; said only once a tenth is done, before that it would be a guess.</summary>
    private double? Remaining(RunningWork work) => work is { StartedAt: { } at, Progress: >= 0.1 and < 1 }
        ? (Clock.GetUtcNow() - at).TotalMilliseconds / work.Progress * (1 - work.Progress) : null;
}
