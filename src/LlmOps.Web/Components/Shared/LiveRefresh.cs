using LlmOps.Lifecycle.Messaging;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>Notify, then re-read: runs <see cref="OnChange"/> after a change of <see cref="Topics"/>, at once for the first and then at most every 100 ms, never twice at a time, and never misses the last. A hint may be lost with its broker, so it also looks now and then without one.</summary>
public sealed class LiveRefresh : ComponentBase, IDisposable
{
    private readonly CancellationTokenSource gone = new();
    private bool listening;
    private int pending;
    private int running;

    [Inject] private LiveChanges Changes { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;
    [Inject] private ILogger<LiveRefresh> Log { get; set; } = null!;

    /// <summary>Names out of <see cref="Areas"/>, separated by commas: <c>job,run</c>. Empty follows everything.</summary>
    [Parameter] public string Topics { get; set; } = "";
    /// <summary>Only changes of this row.</summary>
    [Parameter] public Guid? Id { get; set; }
    /// <summary>Reads again. The page that holds this element is rendered afterwards.</summary>
    [Parameter, EditorRequired] public EventCallback OnChange { get; set; }
    [Parameter] public int MinimumMs { get; set; } = 100;
    /// <summary>Reads again after this long without a hint; 0 never does.</summary>
    [Parameter] public int PollSeconds { get; set; } = 15;

    protected override void OnAfterRender(bool firstRender)
    {
        if (!firstRender) return; // and not while prerendering: that calls no OnAfterRender
        Changes.Changed += Heard;
        listening = true;
        if (PollSeconds > 0) _ = PollAsync();
    }

    public void Dispose()
    {
        if (listening) Changes.Changed -= Heard;
        gone.Cancel();
        gone.Dispose();
    }

    /// <summary>Runs on the bus's thread: only takes note.</summary>
    private void Heard(RowsChanged change)
    {
        if (Topics.Length > 0 && !Topics.Split(',', StringSplitOptions.TrimEntries).Contains(change.Area)) return;
        if (Id is not null && change.Id != Id) return;
        Wake();
    }

    private async Task PollAsync()
    {
        try
        {
            using var timer = new PeriodicTimer(TimeSpan.FromSeconds(PollSeconds), Clock);
            while (await timer.WaitForNextTickAsync(gone.Token)) Wake();
        }
        catch (OperationCanceledException) { }
        catch (ObjectDisposedException) { }
    }

    private void Wake()
    {
        Volatile.Write(ref pending, 1);
        if (Interlocked.CompareExchange(ref running, 1, 0) == 0) _ = Task.Run(DrainAsync);
    }

    private async Task DrainAsync()
    {
        try
        {
            while (Interlocked.Exchange(ref pending, 0) == 1)
            {
                await InvokeAsync(OnChange.InvokeAsync);
                await Task.Delay(TimeSpan.FromMilliseconds(MinimumMs), Clock, gone.Token);
            }
        }
        catch (OperationCanceledException) { }
        catch (ObjectDisposedException) { }
        catch (Exception e)
        {
            Log.LogError(e, "Reading a page's data again failed"); // the next change tries again
        }
        finally
        {
            Volatile.Write(ref running, 0);
            // a change that came between the last look and letting go would otherwise wait for the next one
            if (Volatile.Read(ref pending) == 1 && !gone.IsCancellationRequested && Interlocked.CompareExchange(ref running, 1, 0) == 0) _ = Task.Run(DrainAsync);
        }
    }
}
