using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Components;
using Microsoft.JSInterop;

namespace LlmOps.Web.Components.Shared;

/// <summary>Columns of a curve: <paramref name="X"/> ascending, <paramref name="Y"/> one array per series, NaN where a series has no value.</summary>
public sealed record CurvePoints(double[] X, params double[][] Y)
{
    public static CurvePoints None { get; } = new([]);
}

/// <summary>A curve that grows: reads what is new and sends only that, as binary. Zoom by dragging, double click shows everything.</summary>
public sealed partial class LiveCurve : IAsyncDisposable
{
    private readonly Queue<double[]> latest = new();
    private readonly SemaphoreSlim reading = new(1);
    private ElementReference host;
    private IJSObjectReference? module, plot;
    private double weight;
    private long count;
    private double? last;
    private bool log, table, disposed;

    [Inject] private Browser Browser { get; set; } = null!;

    [Parameter, EditorRequired] public string Title { get; set; } = "";
    /// <summary>Names of the series; fixed for the life of the element (change <c>@key</c> to change them).</summary>
    [Parameter, EditorRequired] public IReadOnlyList<string> Series { get; set; } = [];
    /// <summary>Reads the points after an x (null: all). Called at first and by <see cref="RefreshAsync"/>.</summary>
    [Parameter, EditorRequired] public Func<double?, CancellationToken, Task<CurvePoints>> Read { get; set; } = null!;
    [Parameter] public string XUnit { get; set; } = "step";
    /// <summary>X is Unix seconds.</summary>
    [Parameter] public bool Time { get; set; }
    [Parameter] public bool LogAxis { get; set; }
    [Parameter] public int Height { get; set; } = 240;
    [Parameter] public string FileName { get; set; } = "curve";

    protected override void OnInitialized() => log = LogAxis;

    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (!firstRender) return;
        module = await Browser.ImportAsync("live-curve");
        plot = await module.InvokeAsync<IJSObjectReference>("create", host, Series, new { log, height = Height, unit = XUnit, time = Time });
        await RefreshAsync();
    }

    /// <summary>Reads and draws what came since the last time. Call it from <see cref="LiveRefresh"/>.</summary>
    public async Task RefreshAsync()
    {
        if (plot is null || disposed || !await reading.WaitAsync(0)) return;
        try
        {
            var points = await Read(last, CancellationToken.None);
            if (points.X.Length == 0 || disposed) return;
            await plot.InvokeVoidAsync("append", Bytes(points));
            last = points.X[^1];
            count += points.X.Length;
            for (var i = Math.Max(0, points.X.Length - 50); i < points.X.Length; i++)
            {
                latest.Enqueue([points.X[i], .. points.Y.Select(y => y[i])]);
                if (latest.Count > 50) latest.Dequeue();
            }
            StateHasChanged();
        }
        catch (JSDisconnectedException) { }
        finally
        {
            reading.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        disposed = true;
        await Browser.ReleaseAsync(plot, "dispose");
        await Browser.ReleaseAsync(module);
    }

    /// <summary>Column after column, little-endian float64: what the browser's typed arrays read without parsing.</summary>
    private byte[] Bytes(CurvePoints points)
    {
        var columns = new double[points.X.Length * (Series.Count + 1)];
        points.X.CopyTo(columns, 0);
        for (var s = 0; s < Series.Count; s++) points.Y[s].CopyTo(columns, points.X.Length * (s + 1));
        return MemoryMarshal.AsBytes(columns.AsSpan()).ToArray();
    }

    private Task SmoothAsync(ChangeEventArgs e)
    {
        weight = double.TryParse(e.Value as string, System.Globalization.CultureInfo.InvariantCulture, out var value) ? value : 0;
        return CallAsync("setOptions", new { weight });
    }

    private Task LogAsync(ChangeEventArgs e)
    {
        log = e.Value is true;
        return CallAsync("setOptions", new { log });
    }

    private async Task CallAsync(string function, params object?[] arguments)
    {
        if (plot is not null) await plot.InvokeVoidAsync(function, arguments);
    }
}
