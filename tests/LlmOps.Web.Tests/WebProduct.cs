using System.Net;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

[assembly: AssemblyFixture(typeof(LlmOps.Web.Tests.WebProduct))]

namespace LlmOps.Web.Tests;

/// <summary>The whole product behind its web server, with a data folder of its own and no worker. Tests share it and use names of their own.</summary>
public sealed partial class WebProduct : WebApplicationFactory<Program>, IAsyncLifetime
{
    public const string Password = "correct horse battery";

    public static readonly Actor Admin = Actor.WithRoles(Guid.CreateVersion7(), "test-setup", [Roles.Admin]);

    /// <summary>Seconds that a slow client gets; null for the usual ones.</summary>
    public int? Patience { get; init; }

    public string Folder { get; } = Directory.CreateTempSubdirectory("llmops-web-test-").FullName;

    /// <summary>Started here, once: the factory itself starts a server for each test that comes first at the same moment.</summary>
    public ValueTask InitializeAsync()
    {
        CreateClient().Dispose();
        return ValueTask.CompletedTask;
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseEnvironment("Production");
        builder.UseSetting("Data:Folder", Folder);
        builder.UseSetting("Worker:Embedded", "false");
        if (Patience is { } seconds)
            builder.UseSetting("Web:PatienceSeconds", $"{seconds}");
        // Receivers of the tests listen on this machine.
        builder.UseSetting("Webhooks:AllowedHosts", "localhost");
        builder.UseSetting("Logging:LogLevel:Default", "Warning");
        // What a session may do is looked up at every request, so that a test need not wait half a minute.
        builder.ConfigureServices(s => s.PostConfigure<SecurityStampValidatorOptions>(o => o.ValidationInterval = TimeSpan.Zero));
    }

    public T Get<T>() where T : notnull => Services.GetRequiredService<T>();

    /// <summary>A browser without a session. It follows no redirect, so that tests see them.</summary>
    public HttpClient Visitor() => CreateClient(new() { AllowAutoRedirect = false, HandleCookies = true });

    public async Task<Person> PersonAsync(params string[] roles) =>
        await Get<ManagePeople>().CreateAsync($"p{Guid.NewGuid():N}", "Somebody", Password, roles, Admin);

    /// <summary>A browser with the session of a new person.</summary>
    public async Task<HttpClient> SessionAsync(params string[] roles)
    {
        var browser = Visitor();
        var answer = await SignInAsync(browser, (await PersonAsync(roles)).UserName!, Password);
        Assert.Equal("/", answer.Headers.Location?.OriginalString);
        return browser;
    }

    /// <summary>A program with a token of a new person; without scopes the token has all that the role may.</summary>
    public async Task<HttpClient> ProgramAsync(string role, params Permission[] scopes)
    {
        var people = Get<ManagePeople>();
        // A viewer makes no tokens, but may have one from before the role was taken away.
        var person = await PersonAsync(role == Roles.Viewer ? Roles.Engineer : role);
        var actor = await people.FindActorAsync(person.Id);
        var made = await Get<ManageTokens>().CreateAsync("test", scopes.Length > 0 ? scopes : [.. actor!.Permissions], null, actor!);
        if (role == Roles.Viewer)
            await people.ChangeAsync(person.Id, [Roles.Viewer], false, Admin);
        return With(new("Bearer", made.Secret));
    }

    public HttpClient With(AuthenticationHeaderValue authorization)
    {
        var client = Visitor();
        client.DefaultRequestHeaders.Authorization = authorization;
        return client;
    }

    public static Task<HttpResponseMessage> SignInAsync(HttpClient browser, string userName, string password, string? returnUrl = null) =>
        PostFormAsync(browser, "/account/sign-in", new() { ["username"] = userName, ["password"] = password, ["returnUrl"] = returnUrl ?? "/" });

    /// <summary>Opens the page, then sends its form as a browser would.</summary>
    public static async Task<HttpResponseMessage> PostFormAsync(HttpClient browser, string page, Dictionary<string, string> fields)
    {
        var html = await browser.GetStringAsync(new Uri(page, UriKind.Relative));
        var token = FormToken().Match(html);
        Assert.True(token.Success, $"{page} has no form");
        fields["__RequestVerificationToken"] = token.Groups[1].Value;
        using var content = new FormUrlEncodedContent(fields);
        return await browser.PostAsync(new Uri(page.Split('?')[0], UriKind.Relative), content);
    }

    public async Task<T> WriteAsync<T>(Func<LlmOpsDb, Task<T>> write)
    {
        await using var db = await Get<IDbContextFactory<LlmOpsDb>>().CreateDbContextAsync();
        var made = await write(db);
        await db.SaveChangesAsync();
        return made;
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    [GeneratedRegex("name=\"__RequestVerificationToken\"[^>]*value=\"([^\"]+)\"")]
    private static partial Regex FormToken();
}

public static partial class Answers
{
    /// <summary>The body with the request id, which differs each time, made the same.</summary>
    public static async Task<string> BodyAsync(this HttpResponseMessage answer) =>
        RequestId().Replace(await answer.Content.ReadAsStringAsync(), "\"request_id\":\"ID\"");

    public static async Task EnsureErrorAsync(this HttpResponseMessage answer, HttpStatusCode status, string body)
    {
        Assert.Equal(body, await answer.BodyAsync());
        Assert.Equal(status, answer.StatusCode);
        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
    }

    [GeneratedRegex("\"request_id\":\"[0-9a-f]{32}\"")]
    private static partial Regex RequestId();
}
