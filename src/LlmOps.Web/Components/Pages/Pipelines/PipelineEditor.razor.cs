using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Pipelines;

/// <summary>A definition as text or as a diagram with a form for the chosen stage. Both change the same YAML, and the YAML is what is saved.</summary>
public sealed partial class PipelineEditor
{
    private readonly List<FieldProblem> problems = [];
    private PipelineDocument? document;
    private DiagramModel diagram = new([], []);
    private IReadOnlyList<ParameterField> fields = [];
    private IReadOnlyDictionary<string, string> values = new Dictionary<string, string>();
    private string? selected, seenSelected, checkedYaml;

    [CascadingParameter] public required Actor Actor { get; set; }
    [Parameter, EditorRequired] public string Yaml { get; set; } = "";
    [Parameter] public EventCallback<string> YamlChanged { get; set; }
    /// <summary>What the database holds.</summary>
    [Parameter, EditorRequired] public string Saved { get; set; } = "";
    [Parameter] public bool AsText { get; set; }
    /// <summary>The stage that is chosen at first.</summary>
    [Parameter] public string? First { get; set; }
    [Parameter, EditorRequired] public Func<string, Task> OnSave { get; set; } = null!;

    private string? Objection => Actor.Objection(Permission.RunPipelines);
    private bool Changed => Yaml != Saved;
    private StageDefinition? Stage => document?.Stages.FirstOrDefault(s => s.Name == selected);
    private int DiagramHeight => document?.Stages.Count > 8 ? 380 : 280;

    protected override void OnInitialized() => selected = First;

    protected override void OnParametersSet() => Check();

    protected override bool ShouldRender()
    {
        if (seenSelected != selected) ShowStage();
        return true;
    }

    private Task ChangeAsync(string? text)
    {
        Yaml = text ?? "";
        Check();
        return YamlChanged.InvokeAsync(Yaml);
    }

    /// <summary>A form changes one value of the document's text: comments and order stay as they were written.</summary>
    private Task SetAsync(IReadOnlyDictionary<string, string> next)
    {
        if (Stage is not { } stage) return Task.CompletedTask;
        var text = Yaml;
        foreach (var field in StageFields.Of(stage.Kind))
        {
            var (before, after) = (values.GetValueOrDefault(field.Name), next.GetValueOrDefault(field.Name));
            if (before != after)
                text = StageText.Set(text, stage.Name, field.Name, StageForm.ToYaml(field, after));
        }
        return ChangeAsync(text);
    }

    private void Check()
    {
        if (checkedYaml == Yaml) return;
        checkedYaml = Yaml;
        problems.Clear();
        if (PipelineDocument.TryParse(Yaml, problems) is { } parsed)
        {
            document = parsed;
            diagram = new([.. parsed.Stages.Select(s => new DiagramStage(s.Name, s.Name, s.Kind.Name) { Detail = s.Kind.Name })],
                [.. parsed.Stages.SelectMany(s => s.Needs.Select(n => new DiagramEdge(n, s.Name)))]);
        }
        ShowStage();
    }

    private void ShowStage()
    {
        seenSelected = selected;
        fields = Stage is { } stage ? StageForm.Fields(stage.Kind) : [];
        values = Stage is { } chosen ? StageForm.Values(chosen.Parameters) : new Dictionary<string, string>();
    }
}
