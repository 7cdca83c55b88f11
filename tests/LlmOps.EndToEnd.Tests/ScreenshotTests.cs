using Microsoft.EntityFrameworkCore;
using Microsoft.Playwright;
using LlmOps.Lifecycle.Data;

namespace LlmOps.EndToEnd.Tests;

/// <summary>
/// Makes the pictures in docs/images from a finished quickstart. Not part of a normal run:
/// LLMOPS_SCREENSHOT_DATA=FOLDER [LLMOPS_SCREENSHOT_PAGES=audit,gates] LlmOps.EndToEnd.Tests -explicit only -class "*ScreenshotTests"
/// LLMOPS_SCREENSHOT_TRAFFIC=1 first lets the chat's traffic drift and starts a canary; LLMOPS_SCREENSHOT_FULL=1 pictures whole pages.
/// </summary>
public sealed class ScreenshotTests
{
    /// <summary>Pages that are pictured with a dialog open, and the button that opens it.</summary>
    private static readonly Dictionary<string, string> Dialogs = new()
    {
        ["environments-form"] = "Change the environments…", ["alert-form"] = "New alert rule", ["delegation-form"] = "New delegation", ["promotion-form"] = "Request promotion…",
        ["drift-form"] = "Change the policy…", ["webhook-form"] = "New webhook",
    };

    [Fact(Explicit = true)]
    public async Task EveryPage_IsPictured_FromAFinishedQuickstart()
    {
        var data = Environment.GetEnvironmentVariable("LLMOPS_SCREENSHOT_DATA");
        Assert.False(string.IsNullOrEmpty(data), "Set LLMOPS_SCREENSHOT_DATA to the data folder of a finished quickstart.");
        var target = Environment.GetEnvironmentVariable("LLMOPS_SCREENSHOT_TARGET") ?? Path.Combine(Repository.Root, "docs", "images");
        Directory.CreateDirectory(target);
        if (Environment.GetEnvironmentVariable("LLMOPS_SCREENSHOT_TRAFFIC") is { Length: > 0 })
            await WriteTrafficAsync(data);
        await using var web = await WebProcess.StartAsync(new Dictionary<string, string> { ["Data__Folder"] = data });
        // A folder that was signed in to before, with the tests' password, has no set-up link any more.
        if (web.Output.Contains("/account/setup?", StringComparison.Ordinal))
            await web.SetUpAdministratorAsync();
        using var playwright = await Playwright.CreateAsync();
        await using var browser = await playwright.Chromium.LaunchAsync(new() { ExecutablePath = Services.Chromium, Headless = true, Args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
        var pages = await PagesAsync(data);
        if (Environment.GetEnvironmentVariable("LLMOPS_SCREENSHOT_PAGES") is { Length: > 0 } wanted)
            pages = [.. pages.Where(p => wanted.Split(',').Contains(p.Name))];
        foreach (var (scheme, width, height, suffix) in new[] { (ColorScheme.Light, 1440, 900, ""), (ColorScheme.Dark, 1440, 900, "-dark"), (ColorScheme.Light, 390, 844, "-phone"), (ColorScheme.Dark, 390, 844, "-phone-dark") })
        {
            var context = await browser.NewContextAsync(new() { ViewportSize = new() { Width = width, Height = height }, ColorScheme = scheme });
            var page = await context.NewPageAsync();
            if (suffix.Length == 0)
            {
                await page.GotoAsync(new Uri(web.Address, "/account/sign-in").ToString());
                await page.ScreenshotAsync(new() { Path = Path.Combine(target, "sign-in.png") });
            }
            await page.GotoAsync(new Uri(web.Address, "/account/sign-in").ToString());
            await page.FillAsync("input[name=username]", "admin");
            await page.FillAsync("input[name=password]", WebProcess.Password);
            await page.ClickAsync("button[type=submit]");
            foreach (var (name, path) in pages)
            {
                await page.GotoAsync(new Uri(web.Address, path).ToString());
                await page.WaitForSelectorAsync("[data-interactive=yes]", new() { State = WaitForSelectorState.Attached });
                await page.WaitForLoadStateAsync(LoadState.NetworkIdle);
                if (name.StartsWith("playground", StringComparison.Ordinal))
                    await AskAsync(page, name.EndsWith("rag", StringComparison.Ordinal) ? "What is a lease?" : "Define *river*.");
                if (name == "search")
                {
                    await page.Keyboard.PressAsync("Control+k");
                    await page.Keyboard.TypeAsync("quick");
                }
                if (name == "deployment-drift" && suffix.Length == 0 && await page.GetByText("Not looked at yet").IsVisibleAsync())
                {
                    await page.GetByRole(AriaRole.Button, new() { Name = "Compare now" }).ClickAsync();
                    await page.WaitForSelectorAsync(".drift-table", new() { Timeout = 120_000 });
                }
                if (name == "training-form")
                    await page.Locator(".x6-node:has-text('pretrain')").First.ClickAsync(new() { Force = true });
                if (name == "suite-evaluate")
                    await page.GetByRole(AriaRole.Button, new() { Name = "Evaluate…" }).ClickAsync();
                if (Dialogs.TryGetValue(name, out var opens))
                    await page.GetByRole(AriaRole.Button, new() { Name = opens }).First.ClickAsync();
                // Charts draw and tables fill after the network is quiet; a picture has nothing to wait for.
                await page.WaitForTimeoutAsync(900);
                await page.ScreenshotAsync(new() { Path = Path.Combine(target, name + suffix + ".png"), FullPage = Environment.GetEnvironmentVariable("LLMOPS_SCREENSHOT_FULL") is { Length: > 0 } });
            }
            // The playgrounds have made the first traces by now.
            if (pages.All(p => p.Name != "playground-chat"))
            {
                await context.CloseAsync();
                continue;
            }
            await page.GotoAsync(new Uri(web.Address, await TraceAsync(data)).ToString());
            await page.WaitForTimeoutAsync(1500);
            await page.ScreenshotAsync(new() { Path = Path.Combine(target, "trace" + suffix + ".png") });
            await context.CloseAsync();
        }
    }

    private static async Task AskAsync(IPage page, string text)
    {
        var box = page.Locator("form.chat-form input.input").First;
        await box.FillAsync(text);
        await box.PressAsync("Enter");
        await page.WaitForTimeoutAsync(2500);
    }

    private static LlmOpsDb Open(string data)
    {
        var options = new DbContextOptionsBuilder<LlmOpsDb>();
        DatabaseSetup.UseSqlite(options, $"Data Source={Path.Combine(data, "llmops.db")};Mode=ReadOnly;Pooling=False");
        return new LlmOpsDb(options.Options);
    }

    private static async Task WriteTrafficAsync(string data)
    {
        string deployment, revision;
        await using (var db = Open(data))
        {
            deployment = await db.Deployments.Where(d => d.Kind == Lifecycle.Deployments.DeploymentKind.Chat).Select(d => d.Name).FirstAsync();
            revision = $"{deployment}#1";
        }
        await DriftedTraffic.WriteAsync(data, deployment, revision);
    }

    private static async Task<string> TraceAsync(string data)
    {
        await using var db = Open(data);
        return "/traces/" + await db.Spans.Where(s => s.ParentSpanId == null).OrderByDescending(s => s.StartedAt).Select(s => s.TraceId).FirstAsync();
    }

    private static async Task<IReadOnlyList<(string Name, string Path)>> PagesAsync(string data)
    {
        await using var db = Open(data);
        var model = await db.Models.Select(m => m.Name).FirstAsync();
        var datasets = await db.DatasetVersions.Include(v => v.Dataset).ToListAsync();
        var preference = datasets.First(d => d.Dataset!.Kind == Lifecycle.Datasets.DatasetKind.Preference).Dataset!.Name;
        var runs = await db.Runs.OrderBy(r => r.StartedAt).Select(r => r.Id).ToListAsync();
        var experiment = await db.Experiments.Select(e => e.Name).FirstAsync();
        var pipelineRun = await db.PipelineRuns.Select(r => r.Id).FirstAsync();
        var pipeline = await db.PipelineRuns.Select(r => r.Name).FirstAsync();
        var evaluations = await db.EvaluationRuns.OrderBy(r => r.StartedAt).Select(r => r.Id).ToListAsync();
        var approval = await db.Approvals.Select(a => a.Id).FirstAsync();
        var chat = await db.Deployments.Where(d => d.Kind == Lifecycle.Deployments.DeploymentKind.Chat).Select(d => d.Name).FirstAsync();
        var rag = await db.Deployments.Where(d => d.Kind == Lifecycle.Deployments.DeploymentKind.Rag).Select(d => d.Name).FirstAsync();
        List<(string, string)> pages =
        [
            ("home", "/"), ("models", "/models"), ("model", $"/models/{model}"), ("version", $"/models/{model}/3"), ("variants", $"/models/{model}/3?tab=variants"), ("plan", $"/plan?version={model}/3&hardware=cpu-desktop-8"), ("datasets", "/datasets"),
            ("dataset-version", $"/datasets/{datasets[0].Dataset!.Name}/1"), ("preference", $"/datasets/{preference}/1/prefer"), ("experiments", "/experiments"),
            ("experiment", $"/experiments/{experiment}"), ("run", $"/runs/{runs[0]}"), ("run-made", $"/runs/{runs[0]}?tab=made"), ("run-checkpoints", $"/runs/{runs[0]}?tab=checkpoints"), ("training-form", $"/pipelines/{pipeline}"), ("runs-compare", $"/runs/compare?ids={string.Join(',', runs.Take(3))}"), ("pipelines", "/pipelines"),
            ("pipeline", $"/pipelines/{pipeline}"), ("pipeline-run", $"/pipeline-runs/{pipelineRun}"), ("evaluations", "/evaluations"), ("evaluation", $"/evaluations/{evaluations[^1]}"),
            ("evaluations-compare", $"/evaluations/compare?a={evaluations[0]}&b={evaluations[1]}"), ("approvals", "/approvals?tab=decided"), ("approval", $"/approvals/{approval}"), ("approval-statement", $"/approvals/{approval}#statement"),
            ("deployments", "/deployments"), ("playground-chat", $"/deployments/{chat}?tab=playground"), ("playground-rag", $"/deployments/{rag}?tab=playground"), ("knowledge", "/knowledge"),
            ("traces", "/traces"), ("workers", "/workers"), ("schedules", "/schedules"), ("schedules-calendar", "/schedules/calendar"), ("alerts", "/schedules/alerts"), ("delegations", "/approvals?tab=delegations"), ("environments", $"/models/{model}?tab=aliases"), ("environments-form", $"/models/{model}?tab=aliases"), ("alert-form", "/schedules/alerts"), ("delegation-form", "/approvals?tab=delegations"), ("promotion-form", $"/models/{model}/3"), ("suites", "/suites"), ("suite-new", "/suites/-/new"), ("gates", "/gates"), ("gate-new", "/gates/-/new"), ("gate-plan", "/gates/-/plan"), ("audit", "/audit"), ("settings", "/settings"), ("settings-keys", "/settings?tab=keys"), ("model-aliases", $"/models/{model}?tab=aliases"), ("version-card", $"/models/{model}/3?tab=card"), ("search", "/"),
        ];
        foreach (var suite in await db.EvaluationSuites.Where(x => db.SuiteVersions.Any(v => v.SuiteId == x.Id)).Select(x => x.Name).Take(1).ToListAsync())
            pages.AddRange([("suite", $"/suites/{suite}"), ("suite-noise", $"/suites/{suite}?tab=noise"), ("suite-evaluate", $"/suites/{suite}")]);
        if (await db.EvaluationRuns.Where(r => r.SuiteVersionId != null).OrderByDescending(r => r.StartedAt).Select(r => r.Id).Take(2).ToListAsync() is [var newest, var before])
            pages.AddRange([("evaluation-findings", $"/evaluations/{newest}?tab=findings"), ("evaluation-rows", $"/evaluations/{newest}?tab=rows"), ("evaluation-noise", $"/evaluations/{newest}?tab=noise"), ("evaluations-noise", $"/evaluations/compare?a={before}&b={newest}")]);
        // The one with the most rows found, or any.
        if (await db.ContaminationReports.OrderByDescending(r => r.NearRows + r.ExactRows).FirstOrDefaultAsync() is { } report)
            pages.AddRange([("evaluation-contamination", $"/evaluations/{evaluations[^1]}?tab=contamination"), ("dataset-contamination", $"/datasets/{report.EvaluationDataset}?tab=contamination")]);
        foreach (var incident in await db.Incidents.OrderBy(x => x.OpenedAt).Select(x => x.Id).Take(1).ToListAsync())
            pages.Add(("incident", $"/incidents/{incident}"));
        pages.AddRange([("judges", "/judges"), ("judge-new", "/judges/-/new")]);
        foreach (var judge in await db.Judges.Select(x => x.Name).Take(1).ToListAsync())
            pages.Add(("judge", $"/judges/{judge}"));
        pages.AddRange([("sweeps", "/sweeps"), ("sweep-new", "/sweeps/-/new")]);
        foreach (var sweep in await db.Sweeps.OrderByDescending(x => x.CreatedAt).Select(x => x.Name).Take(1).ToListAsync())
            pages.Add(("sweep", $"/sweeps/{sweep}"));
        pages.AddRange([("run-tags", $"/runs/{runs[^1]}?tab=tags"), ("deployment", $"/deployments/{chat}"), ("deployment-drift", $"/deployments/{chat}?tab=drift"), ("drift-form", $"/deployments/{chat}?tab=drift"), ("webhook-form", "/settings?tab=webhooks"), ("deployment-traces", $"/deployments/{chat}?tab=traces"), ("settings-tokens", "/settings?tab=tokens"), ("experiment-error", $"/experiments/{experiment}?q=metrics.loss+%3E%3E+1"), ("tool-trace", $"/traces/{1:x32}"), ("sessions", "/sessions"), ("session", "/sessions/one?id=order-4711"), ("evaluation-datasets", "/datasets/evaluation"), ("settings-prices", "/settings?tab=prices"), ("settings-webhooks", "/settings?tab=webhooks")]);
        foreach (var webhook in await db.WebhookEndpoints.Select(x => x.Id).Take(1).ToListAsync())
            pages.Add(("webhook", $"/settings/webhooks/{webhook}"));
        foreach (var policy in await db.GatePolicies.Select(x => x.Name).Take(1).ToListAsync())
            pages.Add(("gate", $"/gates/{policy}"));
        return pages;
    }
}
