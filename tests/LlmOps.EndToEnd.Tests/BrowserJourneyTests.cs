using System.Text.RegularExpressions;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace LlmOps.EndToEnd.Tests;

/// <summary>What a new user does, in a real browser: sign in, start a pipeline, see it move, approve as the second person, chat.</summary>
public sealed class BrowserJourneyTests
{
    private const float Patient = 180_000;

    [Fact]
    public async Task NewUser_GoesFromFirstSignInToAnApprovedChat()
    {
        Services.Require(File.Exists(Services.Chromium));
        using var data = new TemporaryFolder();
        await using var web = await WebProcess.StartAsync(new Dictionary<string, string> { ["Data__Folder"] = data.Path, ["Quickstart__Pipeline"] = "", ["Logging__LogLevel__Default"] = "Warning" }, "--quickstart");
        try
        {
            await TravelAsync(web);
        }
        catch (Exception e)
        {
            // What the page does not show is in the server's log.
            throw new InvalidOperationException($"{e.Message}\nThe server said last:\n{string.Join('\n', web.Output.Split('\n').TakeLast(60))}", e);
        }
    }

    private static async Task TravelAsync(WebProcess web)
    {
        using var playwright = await Playwright.CreateAsync();
        await using var browser = await playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = Services.Chromium, Headless = true,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
        var foreign = new List<string>();

        var admin = await NewPageAsync(browser, web, foreign);
        await admin.GotoAsync(web.SetupLink());
        await admin.FillAsync("input[name=password]", WebProcess.Password);
        await admin.ClickAsync("button[type=submit]");
        await InteractiveAsync(admin);
        await Expect(admin.Locator("h1")).ToBeVisibleAsync();

        // Started by hand, the run moves to its approval without a reload.
        await admin.GotoAsync(new Uri(web.Address, "/pipelines/tiny").ToString());
        await InteractiveAsync(admin);
        await admin.GetByRole(AriaRole.Button, new() { Name = "Start" }).First.ClickAsync();
        await admin.WaitForURLAsync("**/pipeline-runs/**");
        await InteractiveAsync(admin);
        await Expect(admin.GetByText(new Regex("Waiting for approval", RegexOptions.IgnoreCase)).First).ToBeVisibleAsync(new() { Timeout = Patient });

        // The person who asked cannot approve.
        await admin.GotoAsync(new Uri(web.Address, "/approvals").ToString());
        await InteractiveAsync(admin);
        await admin.Locator("a[href*='/approvals/']").First.ClickAsync();
        await Expect(admin.GetByText("A second person has to decide").First).ToBeVisibleAsync();

        var (name, password) = web.ReleaseManager();
        var release = await NewPageAsync(browser, web, foreign);
        await release.GotoAsync(new Uri(web.Address, "/approvals").ToString());
        await release.FillAsync("input[autocomplete=username]", name);
        await release.FillAsync("input[name=password]", password);
        await release.ClickAsync("button[type=submit]");
        await InteractiveAsync(release);
        await release.Locator("a[href*='/approvals/']").First.ClickAsync();
        await InteractiveAsync(release);
        await release.Locator("textarea").First.FillAsync("The evidence is fine for a test.");
        await release.GetByRole(AriaRole.Button, new() { Name = "Approve", Exact = true }).ClickAsync();
        await Expect(release.GetByText("Approved").First).ToBeVisibleAsync(new() { Timeout = 30_000 });

        await release.GotoAsync(new Uri(web.Address, "/pipelines/tiny").ToString());
        await Expect(release.GetByText("Succeeded").First).ToBeVisibleAsync(new() { Timeout = Patient });
        await release.GotoAsync(new Uri(web.Address, "/deployments/tiny-chat?tab=playground").ToString());
        await InteractiveAsync(release);
        await release.GetByLabel("Message", new() { Exact = true }).FillAsync("Define *river*.");
        await release.GetByRole(AriaRole.Button, new() { Name = "Send" }).ClickAsync();
        await Expect(release.GetByText(new Regex("tokens/s")).First).ToBeVisibleAsync(new() { Timeout = 60_000 });

        Assert.Empty(foreign);
    }

    private static async Task<IPage> NewPageAsync(IBrowser browser, WebProcess web, List<string> foreign)
    {
        var context = await browser.NewContextAsync(new() { ViewportSize = new() { Width = 1440, Height = 900 } });
        var page = await context.NewPageAsync();
        page.SetDefaultTimeout(30_000);
        page.Request += (_, request) =>
        {
            var uri = new Uri(request.Url);
            if (uri.Scheme.StartsWith("http", StringComparison.Ordinal) && uri.Authority != web.Address.Authority)
                foreign.Add(request.Url);
        };
        return page;
    }

    /// <summary>A click before the circuit is up would be lost.</summary>
    private static Task InteractiveAsync(IPage page) => page.WaitForSelectorAsync("[data-interactive=yes]", new() { State = WaitForSelectorState.Attached });
}
