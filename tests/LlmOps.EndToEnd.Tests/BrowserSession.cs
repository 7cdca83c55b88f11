using System.Text.Json;
using Microsoft.Playwright;

namespace LlmOps.EndToEnd.Tests;

/// <summary>A real Chromium and the people who are signed in with it, each in a context of their own.</summary>
public sealed class BrowserSession(IPlaywright playwright, IBrowser browser, WebProcess web) : IAsyncDisposable
{
    /// <summary>Requests that left the machine's own server.</summary>
    public List<string> Foreign { get; } = [];

    public static async Task<BrowserSession> StartAsync(WebProcess web)
    {
        var playwright = await Playwright.CreateAsync();
        return new(playwright, await playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = Services.Chromium, Headless = true,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        }), web);
    }

    /// <summary>The administrator, through the one-time link on the console.</summary>
    public async Task<IPage> AdministratorAsync()
    {
        var page = await NewPageAsync();
        await page.GotoAsync(web.SetupLink());
        await page.FillAsync("input[name=password]", WebProcess.Password);
        await page.ClickAsync("button[type=submit]");
        await InteractiveAsync(page);
        return page;
    }

    /// <summary>The second account that the quickstart makes.</summary>
    public async Task<IPage> ReleaseManagerAsync()
    {
        var (name, password) = web.ReleaseManager();
        var page = await NewPageAsync();
        await page.GotoAsync(new Uri(web.Address, "/approvals").ToString());
        await page.FillAsync("input[autocomplete=username]", name);
        await page.FillAsync("input[name=password]", password);
        await page.ClickAsync("button[type=submit]");
        await InteractiveAsync(page);
        return page;
    }

    public async Task GoAsync(IPage page, string path)
    {
        await page.GotoAsync(new Uri(web.Address, path).ToString());
        await InteractiveAsync(page);
    }

    /// <summary>A request with the person's own session, as a script in their browser would send it.</summary>
    public async Task<IAPIResponse> SendAsync(IPage page, string method, string path, object? body = null) =>
        await page.APIRequest.FetchAsync(new Uri(web.Address, path).ToString(), new() { Method = method, DataObject = body });

    public async Task<JsonElement> GetAsync(IPage page, string path)
    {
        var answer = await SendAsync(page, "GET", path);
        Assert.True(answer.Ok, await answer.TextAsync());
        return (await answer.JsonAsync())!.Value;
    }

    /// <summary>A click before the circuit is up would be lost.</summary>
    public static Task InteractiveAsync(IPage page) => page.WaitForSelectorAsync("[data-interactive=yes]", new() { State = WaitForSelectorState.Attached });

    private async Task<IPage> NewPageAsync()
    {
        var context = await browser.NewContextAsync(new() { ViewportSize = new() { Width = 1440, Height = 900 } });
        var page = await context.NewPageAsync();
        page.SetDefaultTimeout(30_000);
        page.Request += (_, request) =>
        {
            var uri = new Uri(request.Url);
            if (uri.Scheme.StartsWith("http", StringComparison.Ordinal) && uri.Authority != web.Address.Authority)
                Foreign.Add(request.Url);
        };
        return page;
    }

    public async ValueTask DisposeAsync()
    {
        await browser.CloseAsync();
        playwright.Dispose();
    }
}
