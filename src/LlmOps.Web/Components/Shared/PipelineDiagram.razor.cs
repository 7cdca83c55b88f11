using System.Text.Json;
using Microsoft.AspNetCore.Components;
using Microsoft.JSInterop;

namespace LlmOps.Web.Components.Shared;

/// <summary>A pipeline as a diagram: edited, or read-only with live states. Drag pans, Ctrl-wheel zooms, Tab and Enter choose a stage.</summary>
public sealed partial class PipelineDiagram : IAsyncDisposable
{
    private ElementReference host;
    private IJSObjectReference? module, diagram;
    private DotNetObjectReference<PipelineDiagram>? self;
    private DiagramModel? drawn;
    private string? drawnSelection;

    [Inject] private Browser Browser { get; set; } = null!;

    [Parameter, EditorRequired] public DiagramModel Model { get; set; } = null!;
    /// <summary>Edited by hand: stages with their places, and edges.</summary>
    [Parameter] public EventCallback<DiagramModel> ModelChanged { get; set; }
    [Parameter] public bool ReadOnly { get; set; } = true;
    [Parameter] public string? SelectedId { get; set; }
    [Parameter] public EventCallback<string?> SelectedIdChanged { get; set; }
    /// <summary>In px, while editing; a read-only diagram is as high as its rows need.</summary>
    [Parameter] public int Height { get; set; } = 480;
    [Parameter] public string Label { get; set; } = "Pipeline";

    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (firstRender)
        {
            (drawn, drawnSelection) = (Model, null);
            module = await Browser.ImportAsync("pipeline-diagram");
            self = DotNetObjectReference.Create(this);
            diagram = await module.InvokeAsync<IJSObjectReference>("create", host, Wire(Model), self, new { readOnly = ReadOnly });
        }
        if (diagram is null) return;
        if (!ReferenceEquals(drawn, Model)) await DrawAsync(drawn!, drawn = Model);
        if (drawnSelection != SelectedId) await diagram.InvokeVoidAsync("select", drawnSelection = SelectedId);
    }

    [JSInvokable]
    public Task OnStageSelected(string? id) => InvokeAsync(() =>
    {
        drawnSelection = id;
        return SelectedIdChanged.InvokeAsync(id);
    });

    [JSInvokable]
    public Task OnModelChanged(string json) => InvokeAsync(() =>
    {
        drawn = Model = JsonSerializer.Deserialize<DiagramModel>(json, JsonSerializerOptions.Web)!;
        return ModelChanged.InvokeAsync(Model);
    });

    /// <summary>Puts a stage into the middle of what is in view.</summary>
    public async Task AddAsync(DiagramStage stage)
    {
        if (diagram is not null) await diagram.InvokeVoidAsync("add", Wire(stage));
    }

    public async ValueTask DisposeAsync()
    {
        await Browser.ReleaseAsync(diagram, "dispose");
        await Browser.ReleaseAsync(module);
        self?.Dispose();
    }

    /// <summary>While the shape stays, only stages that look different are touched: the reader's pan, zoom and focus stay.</summary>
    private async Task DrawAsync(DiagramModel before, DiagramModel after)
    {
        var known = before.Stages.ToDictionary(s => s.Id);
        var sameShape = before.Stages.Count == after.Stages.Count && after.Stages.All(s => known.ContainsKey(s.Id)) && before.Edges.SequenceEqual(after.Edges);
        if (!sameShape) await diagram!.InvokeVoidAsync("load", Wire(after));
        else if (after.Stages.Where(s => s != known[s.Id]).Select(Wire).ToArray() is { Length: > 0 } changed) await diagram!.InvokeVoidAsync("update", (object)changed);
    }

    private static object Wire(DiagramModel model) => new { stages = model.Stages.Select(Wire), edges = model.Edges };

    private static object Wire(DiagramStage stage)
    {
        var look = stage.State is null ? null : StateLook.Of(stage.State);
        return new
        {
            stage.Id, stage.Name, stage.Kind, stage.Detail, stage.X, stage.Y,
            progress = look?.IsLive == true ? stage.Progress : null,
            state = look is null ? null : new { word = look.IsLive && stage.Progress is { } p ? Display.Percent(p) : look.Word, icon = look.Icon, colour = $"var(--{look.Colour})", dashed = look.IsDashed },
        };
    }

    private async Task CallAsync(string function, params object?[] arguments)
    {
        if (diagram is not null) await diagram.InvokeVoidAsync(function, arguments);
    }
}
