using Microsoft.AspNetCore.Components;
using Microsoft.JSInterop;

namespace LlmOps.Web.Components.Shared;

/// <summary>What a page may ask of the browser it is shown in. One per circuit.</summary>
public sealed class Browser(IJSRuntime js) : IAsyncDisposable
{
    private Task<IJSObjectReference>? shell;

    public Task CopyAsync(string text) => CallAsync("copy", text);
    public Task DownloadAsync(string name, string text, string type = "text/plain") => CallAsync("download", name, text, type);
    /// <summary>For what is too large for one message: streamed to the browser.</summary>
    public async Task DownloadAsync(string name, Stream content, string type)
    {
        using var reference = new DotNetStreamReference(content, leaveOpen: true);
        await CallAsync("downloadStream", name, reference, type);
    }

    public Task OpenDialogAsync(ElementReference dialog) => CallAsync("openDialog", dialog);
    public Task CloseDialogAsync(ElementReference dialog) => CallAsync("closeDialog", dialog);
    /// <summary>Asks the person whether the browser may show notifications; it remembers the answer.</summary>
    public Task AskToNotifyAsync() => CallAsync("askToNotify");
    /// <summary>Shows one outside of the page where that was allowed, else does nothing.</summary>
    public Task NotifyAsync(string title, string text, string href) => CallAsync("notify", title, text, href);
    public Task ScrollToEndAsync(ElementReference element) => CallAsync("scrollToEnd", element);
    public async Task<bool> IsAtEndAsync(ElementReference element) => await (await ShellAsync()).InvokeAsync<bool>("isAtEnd", element);
    public async Task<string> ThemeAsync() => await (await ShellAsync()).InvokeAsync<string>("theme");
    public async Task<string> ToggleThemeAsync() => await (await ShellAsync()).InvokeAsync<string>("toggleTheme");

    /// <summary>Loads one of the bundles of <c>client/</c>; the import map turns the name into the fingerprinted one.</summary>
    public ValueTask<IJSObjectReference> ImportAsync(string bundle) => js.InvokeAsync<IJSObjectReference>("import", $"./js/{bundle}.js");

    public async ValueTask DisposeAsync()
    {
        if (shell is { IsCompletedSuccessfully: true }) await ReleaseAsync(shell.Result);
    }

    /// <summary>Lets go of something in the browser; when the circuit is gone the browser has let go already.</summary>
    public static async ValueTask ReleaseAsync(IJSObjectReference? reference, string? finalCall = null)
    {
        if (reference is null) return;
        try
        {
            if (finalCall is not null) await reference.InvokeVoidAsync(finalCall);
            await reference.DisposeAsync();
        }
        catch (JSDisconnectedException) { }
        catch (ObjectDisposedException) { }
        catch (TaskCanceledException) { }
    }

    private async Task CallAsync(string function, params object?[] arguments) => await (await ShellAsync()).InvokeVoidAsync(function, arguments);

    private Task<IJSObjectReference> ShellAsync() => shell ??= ImportAsync("shell").AsTask();
}
