using System.Text.Json;
using Microsoft.AspNetCore.Components;
using Microsoft.JSInterop;

namespace LlmOps.Web.Components.Shared;

/// <summary>A comparison chart: Pareto, forest (series of type <c>interval</c>, rows <c>[category index, low, high, value]</c>), parallel coordinates, heat map. Colours come from the theme.</summary>
public sealed partial class EChart : IAsyncDisposable
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals };
    private ElementReference host;
    private IJSObjectReference? module, chart;
    private DotNetObjectReference<EChart>? self;
    private string drawn = "";
    private bool table;

    [Inject] private Browser Browser { get; set; } = null!;

    [Parameter, EditorRequired] public string Title { get; set; } = "";
    /// <summary>ECharts' option without colours and fonts: an anonymous object is enough.</summary>
    [Parameter, EditorRequired] public object Option { get; set; } = null!;
    /// <summary>The same numbers as a table.</summary>
    [Parameter, EditorRequired] public RenderFragment? Table { get; set; }
    [Parameter] public int Height { get; set; } = 320;
    [Parameter] public string FileName { get; set; } = "chart";
    /// <summary>Series name and index of the point that was clicked.</summary>
    [Parameter] public EventCallback<(string Series, int Index)> PointClicked { get; set; }

    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        var option = JsonSerializer.Serialize(Option, Json);
        if (firstRender)
        {
            drawn = option;
            module = await Browser.ImportAsync("charts");
            if (PointClicked.HasDelegate) self = DotNetObjectReference.Create(this);
            chart = await module.InvokeAsync<IJSObjectReference>("create", host, option, self);
        }
        else if (chart is not null && option != drawn)
        {
            drawn = option;
            await chart.InvokeVoidAsync("set", option);
        }
    }

    [JSInvokable]
    public Task OnPointClick(string series, int index) => InvokeAsync(() => PointClicked.InvokeAsync((series, index)));

    public async ValueTask DisposeAsync()
    {
        await Browser.ReleaseAsync(chart, "dispose");
        await Browser.ReleaseAsync(module);
        self?.Dispose();
    }

    private async Task PngAsync()
    {
        if (chart is not null) await chart.InvokeVoidAsync("png", FileName + ".png");
    }
}
