using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;

namespace LlmOps.Web.Components.Shared;

/// <summary>Ctrl-K: jump to anything. Asks every <see cref="ISearchSource"/>.</summary>
public sealed partial class CommandPalette : IDisposable
{
    private const int PerSource = 6;
    private CancellationTokenSource? asking;
    private ModalDialog dialog = null!;
    private IReadOnlyList<SearchHit> hits = [];
    private string text = "";
    private string? failed;
    private int at;
    private bool searching, moving;

    [Inject] private IEnumerable<ISearchSource> Sources { get; set; } = [];
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [Inject] private ILogger<CommandPalette> Log { get; set; } = null!;

    public async Task OpenAsync()
    {
        await SearchAsync("");
        await dialog.OpenAsync();
    }

    public void Dispose()
    {
        asking?.Cancel();
        asking?.Dispose();
    }

    private Task FindAsync(ChangeEventArgs e) => SearchAsync(e.Value as string ?? "");

    private async Task SearchAsync(string wanted)
    {
        text = wanted;
        asking?.Cancel();
        asking?.Dispose();
        asking = new CancellationTokenSource();
        var ct = asking.Token;
        searching = true;
        try
        {
            if (wanted.Length > 0) await Task.Delay(80, ct);
            var answers = await Task.WhenAll(Sources.Select(s => s.FindAsync(wanted, wanted.Length == 0 ? 20 : PerSource, ct)));
            if (ct.IsCancellationRequested) return;
            (hits, at, searching, failed) = ([.. answers.SelectMany(a => a)], 0, false, null);
        }
        catch (OperationCanceledException) { }
        catch (Exception e)
        {
            (failed, searching) = (Failure.Text(e, Log), false);
        }
    }

    private async Task KeyAsync(KeyboardEventArgs e)
    {
        moving = e.Key is "ArrowDown" or "ArrowUp";
        if (e.Key == "ArrowDown") at = Math.Min(hits.Count - 1, at + 1);
        else if (e.Key == "ArrowUp") at = Math.Max(0, at - 1);
        else if (e.Key == "Enter" && hits.Count > at) await GoAsync(hits[at]);
    }

    private async Task GoAsync(SearchHit hit)
    {
        await dialog.CloseAsync();
        Navigation.NavigateTo(hit.Href);
    }
}
