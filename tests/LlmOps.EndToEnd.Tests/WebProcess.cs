using System.Net;
using System.Text.RegularExpressions;

namespace LlmOps.EndToEnd.Tests;

/// <summary>The web process, started as people start it, with a first sign-in made through its own one-time link.</summary>
public sealed partial class WebProcess : IAsyncDisposable
{
    public const string Password = "correct horse battery";
    private readonly ProductProcess process;

    private WebProcess(ProductProcess process, Uri address)
    {
        this.process = process;
        Address = address;
        var handler = new HttpClientHandler { AllowAutoRedirect = false, CookieContainer = new CookieContainer() };
        Client = new HttpClient(handler) { BaseAddress = address, Timeout = TimeSpan.FromSeconds(60) };
    }

    public Uri Address { get; }
    public HttpClient Client { get; }
    public string Output => process.Output;
    public ProductProcess Process => process;

    public static async Task<WebProcess> StartAsync(IReadOnlyDictionary<string, string> settings, params string[] arguments)
    {
        var address = new Uri($"http://127.0.0.1:{ProductProcess.FreePort()}");
        var process = ProductProcess.Start(Repository.Built("LlmOps.Web", "LlmOps.Web.dll"), [.. arguments, "--urls", address.ToString()], settings);
        var web = new WebProcess(process, address);
        await process.UntilAsync(() => web.AnswersAsync("/health/ready"), TimeSpan.FromSeconds(90));
        return web;
    }

    /// <summary>The address printed on the console, which lets the administrator choose a password once.</summary>
    public string SetupLink() => SetupLinkPattern().Match(Output) is { Success: true } match
        ? match.Value
        : throw new InvalidOperationException($"No set-up link on the console:\n{Output}");

    /// <summary>The release manager's password as the quickstart printed it.</summary>
    public (string Name, string Password) ReleaseManager()
    {
        var match = ReleasePattern().Match(Output);
        Assert.True(match.Success, $"No release manager on the console:\n{Output}");
        return (match.Groups[1].Value, match.Groups[2].Value);
    }

    public async Task SetUpAdministratorAsync()
    {
        var link = new Uri(SetupLink());
        var page = await Client.GetStringAsync(link.PathAndQuery);
        var form = Inputs(page);
        form["password"] = Password;
        using var answer = await Client.PostAsync("/account/setup", new FormUrlEncodedContent(form));
        Assert.Equal(HttpStatusCode.Redirect, answer.StatusCode);
        Assert.DoesNotContain("error", answer.Headers.Location!.ToString(), StringComparison.OrdinalIgnoreCase);
    }

    private static Dictionary<string, string> Inputs(string page) => InputPattern().Matches(page).Select(m => m.Value)
        .Where(tag => NamePattern().IsMatch(tag))
        .DistinctBy(tag => NamePattern().Match(tag).Groups[1].Value)
        .ToDictionary(tag => NamePattern().Match(tag).Groups[1].Value, tag => WebUtility.HtmlDecode(ValuePattern().Match(tag).Groups[1].Value));

    private async Task<bool> AnswersAsync(string path)
    {
        try
        {
            using var answer = await Client.GetAsync(path);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await process.DisposeAsync();
    }

    [GeneratedRegex(@"http://\S+/account/setup\?token=[0-9a-f]+")]
    private static partial Regex SetupLinkPattern();

    [GeneratedRegex(@"user name '(\w+)', password ([0-9a-f]{16})")]
    private static partial Regex ReleasePattern();

    [GeneratedRegex("<input[^>]*>")]
    private static partial Regex InputPattern();

    [GeneratedRegex("name=\"([^\"]+)\"")]
    private static partial Regex NamePattern();

    [GeneratedRegex("value=\"([^\"]*)\"")]
    private static partial Regex ValuePattern();
}
