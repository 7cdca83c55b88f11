using Microsoft.Playwright;

namespace LlmOps.EndToEnd.Tests;

/// <summary>One person's browser. HTTP requests go with the same session, as a script on their own page would.</summary>
public sealed class Desk
{
    private readonly Uri address;

    private Desk(IPage page, Uri address) => (Page, this.address) = (page, address);

    public IPage Page { get; }

    public static async Task<Desk> SignInAsync(IBrowser browser, WebProcess web, string person)
    {
        var context = await browser.NewContextAsync(new() { ViewportSize = new() { Width = 1440, Height = 900 } });
        var page = await context.NewPageAsync();
        page.SetDefaultTimeout(30_000);
        await page.GotoAsync(new Uri(web.Address, "/account/sign-in").ToString());
        await page.FillAsync("input[name=username]", person);
        await page.FillAsync("input[name=password]", WebProcess.Password);
        await page.ClickAsync("button[type=submit]");
        var desk = new Desk(page, web.Address);
        await desk.ReadyAsync();
        return desk;
    }

    public async Task OpenAsync(string path)
    {
        await Page.GotoAsync(new Uri(address, path).ToString());
        await ReadyAsync();
    }

    /// <summary>A click before the circuit is up would be lost.</summary>
    public Task ReadyAsync() => Page.WaitForSelectorAsync("[data-interactive=yes]", new() { State = WaitForSelectorState.Attached });

    public ILocator Button(string name) => Page.GetByRole(AriaRole.Button, new() { Name = name, Exact = true });

    public ILocator Text(string text) => Page.GetByText(text).First;

    public async Task<(int Status, string Body)> PostAsync(string path, object body)
    {
        var answer = await Page.Context.APIRequest.PostAsync(new Uri(address, path).ToString(), new() { DataObject = body });
        return (answer.Status, await answer.TextAsync());
    }

    public async Task<(int Status, string Body)> GetAsync(string path)
    {
        var answer = await Page.Context.APIRequest.GetAsync(new Uri(address, path).ToString());
        return (answer.Status, await answer.TextAsync());
    }

    /// <summary>Asks for production in the dialog of the version's page; returns the request's id.</summary>
    public async Task<Guid> RequestPromotionAsync(string model, int number)
    {
        await OpenAsync($"/models/{model}/{number}");
        await Button("Request promotion…").ClickAsync();
        await Page.Locator("dialog[open]").GetByRole(AriaRole.Button, new() { Name = "Request promotion", Exact = true }).ClickAsync();
        return await ArriveAsync();
    }

    /// <summary>Waits for the page of a request, to which asking for one leads.</summary>
    public async Task<Guid> ArriveAsync()
    {
        await Page.WaitForURLAsync("**/approvals/*");
        await Assertions.Expect(Text("On what evidence")).ToBeVisibleAsync();
        return Guid.Parse(new Uri(Page.Url).Segments[^1]);
    }

    public async Task ApproveAsync(Guid request, string comment)
    {
        await OpenAsync($"/approvals/{request}");
        await Page.Locator("textarea").First.FillAsync(comment);
        await Button("Approve").ClickAsync();
    }

    /// <summary>Presses the button of the open page even where it cannot be pressed any more: the clock closes requests whose evidence changed, and may be first.</summary>
    public Task PressApproveAsync() => Button("Approve").DispatchEventAsync("click");
}
