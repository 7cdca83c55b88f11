using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>Notify, then re-read: runs <see cref="OnChange"/> after a change of <see cref="Topics"/>, at once for the first and then at most every 100 ms, never twice at a time, and never misses the last.</summary>
public sealed class LiveRefresh : ComponentBase, IDisposable
{
    private readonly CancellationTokenSource gone = new();
    private IDisposable? subscription;
    private int pending;
    private int running;

    [Inject] private ChangeFeed Feed { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;
    [Inject] private ILogger<LiveRefresh> Log { get; set; } = null!;

    /// <summary>Topics to follow, separated by commas: <c>job,run</c>. Empty follows everything.</summary>
    [Parameter] public string Topics { get; set; } = "";
    /// <summary>Only changes of this id (changes without an id always count).</summary>
    [Parameter] public string? Id { get; set; }
    /// <summary>Reads again. The page that holds this element is rendered afterwards.</summary>
    [Parameter, EditorRequired] public EventCallback OnChange { get; set; }
    [Parameter] public int MinimumMs { get; set; } = 100;

    protected override void OnAfterRender(bool firstRender)
    {
        if (firstRender) subscription = Feed.Listen(Heard); // not while prerendering: nobody would dispose it in time
    }

    public void Dispose()
    {
        subscription?.Dispose();
        gone.Cancel();
        gone.Dispose();
    }

    private void Heard(Change change)
    {
        if (Topics.Length > 0 && !Topics.Split(',', StringSplitOptions.TrimEntries).Contains(change.Topic)) return;
        if (Id is not null && change.Id is not null && change.Id != Id) return;
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
