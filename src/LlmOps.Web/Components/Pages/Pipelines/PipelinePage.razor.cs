using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Web.Components.Pages.Schedules;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Pipelines;

public sealed partial class PipelinePage
{
    private PipelineDefinition? definition;
    private PipelineRunRow? latest;
    private IReadOnlyList<ScheduleRow> schedules = [];
    private PipelineRunTable? runs;
    private NewSchedule newSchedule = null!;
    private string yaml = "";
    private string? proposed;
    private int runCount, stageCount;

    [Inject] private ReadPipelines Pipelines { get; set; } = null!;
    [Inject] private ReadSchedules Schedules { get; set; } = null!;
    [Inject] private StartPipeline Start { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter] public string Name { get; set; } = "";
    /// <summary>With <see cref="Set"/>: values to show in the form as changes that are not saved, "learning_rate=0.001;batch_size=16".</summary>
    [SupplyParameterFromQuery(Name = "stage")] private string? SetStage { get; set; }
    [SupplyParameterFromQuery] private string? Set { get; set; }

    private string? Objection => Actor.Objection(Permission.RunPipelines);

    protected override async Task OnParametersSetAsync()
    {
        if (definition?.Name == Name) return;
        definition = null;
        await ReadAsync();
        Propose();
    }

    private void Propose()
    {
        if (Set is null || PipelineDocument.TryParse(yaml, [])?.Stages.FirstOrDefault(s => s.Name == SetStage) is not { } stage) return;
        foreach (var (name, value) in Set.Split(';').Select(p => p.Split('=', 2)).Where(p => p.Length == 2).Select(p => (p[0], p[1])))
            if (StageFields.Of(stage.Kind).FirstOrDefault(f => f.Name == name) is { } field)
                yaml = StageText.Set(yaml, stage.Name, name, StageForm.ToYaml(field, value));
        proposed = stage.Name;
    }

    private async Task ReadAsync()
    {
        var read = await Pipelines.GetAsync(Name);
        // what a person is writing is theirs until they save it or leave
        if (definition is null || yaml == definition.Yaml) yaml = read.Yaml;
        definition = read;
        stageCount = PipelineDocument.TryParse(read.Yaml, [])?.Stages.Count ?? 0;
        var window = await Pipelines.RunsAsync(new PipelineRunFilter(Name), 0, 1);
        (latest, runCount) = (window.Rows.Count > 0 ? window.Rows[0] : null, window.Total);
        schedules = await Schedules.ListAsync(Name);
        if (runs is not null) await runs.RefreshAsync();
    }

    private async Task SaveAsync(string text)
    {
        var saved = await Start.DefineAsync(text, definition!.Folder, Actor);
        (yaml, definition) = (saved.Yaml, saved.Name == Name ? saved : definition);
        // another name in the YAML is another pipeline
        if (saved.Name != Name) Navigation.NavigateTo($"/pipelines/{saved.Name}");
        else await ReadAsync();
        StateHasChanged();
    }

    private async Task StartAsync()
    {
        if (yaml != definition!.Yaml)
            throw new ArgumentException("There are changes that are not saved. Save them first, or undo them: a run starts from what is saved.");
        var run = await Start.StartAsync(Name, Actor);
        Navigation.NavigateTo($"/pipeline-runs/{run.Id}");
    }
}
