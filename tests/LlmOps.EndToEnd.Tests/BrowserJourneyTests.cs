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
        await using var session = await BrowserSession.StartAsync(web);
        var admin = await session.AdministratorAsync();
        await Expect(admin.Locator("h1")).ToBeVisibleAsync();

        // Started by hand, the run moves to its approval without a reload.
        await session.GoAsync(admin, "/pipelines/tiny");
        await admin.GetByRole(AriaRole.Button, new() { Name = "Start" }).First.ClickAsync();
        await admin.WaitForURLAsync("**/pipeline-runs/**");
        await BrowserSession.InteractiveAsync(admin);
        await Expect(admin.GetByText(new Regex("Waiting for approval", RegexOptions.IgnoreCase)).First).ToBeVisibleAsync(new() { Timeout = Patient });

        // The person who asked cannot approve.
        await session.GoAsync(admin, "/approvals");
        await admin.Locator("a[href*='/approvals/']").First.ClickAsync();
        await Expect(admin.GetByText("A second person has to decide").First).ToBeVisibleAsync();

        var release = await session.ReleaseManagerAsync();
        await release.Locator("a[href*='/approvals/']").First.ClickAsync();
        await BrowserSession.InteractiveAsync(release);
        await release.Locator("textarea").First.FillAsync("The evidence is fine for a test.");
        await release.GetByRole(AriaRole.Button, new() { Name = "Approve", Exact = true }).ClickAsync();
        await Expect(release.GetByText("Approved").First).ToBeVisibleAsync(new() { Timeout = 30_000 });

        await session.GoAsync(release, "/pipelines/tiny");
        await Expect(release.GetByText("Succeeded").First).ToBeVisibleAsync(new() { Timeout = Patient });
        await session.GoAsync(release, "/deployments/tiny-chat?tab=playground");
        await release.GetByLabel("Message", new() { Exact = true }).FillAsync("Define *river*.");
        await release.GetByRole(AriaRole.Button, new() { Name = "Send" }).ClickAsync();
        await Expect(release.GetByText(new Regex("tokens/s")).First).ToBeVisibleAsync(new() { Timeout = 60_000 });

        Assert.Empty(session.Foreign);
    }
}
