using System.Net;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Security;

namespace LlmOps.Web.Tests.Security;

public sealed class SessionTests(WebProduct product)
{
    private static readonly Uri Whoami = new("/api/v1/whoami", UriKind.Relative);

    [Fact]
    public async Task SetupLink_SetsThePasswordAndSignsIn_Once()
    {
        var person = await product.Get<ManagePeople>().CreateAsync($"new{Guid.NewGuid():N}", "New", null, [Roles.Engineer], WebProduct.Admin);
        var token = await product.Get<ManagePeople>().CreateSetupTokenAsync(person.Id, WebProduct.Admin);
        using var browser = product.Visitor();
        using var first = await WebProduct.PostFormAsync(browser, $"/account/setup?token={token}", new() { ["token"] = token, ["password"] = WebProduct.Password });
        Assert.Equal("/", first.Headers.Location?.OriginalString);
        Assert.Contains(person.UserName!, await browser.GetStringAsync(Whoami), StringComparison.Ordinal);

        using var other = product.Visitor();
        using var second = await WebProduct.PostFormAsync(other, $"/account/setup?token={token}", new() { ["token"] = token, ["password"] = "another long password" });
        Assert.Equal("/account/setup?error=token", second.Headers.Location?.OriginalString);
        using var signIn = await WebProduct.SignInAsync(other, person.UserName!, WebProduct.Password);
        Assert.Equal("/", signIn.Headers.Location?.OriginalString);
    }

    [Fact]
    public async Task SetupLink_StaysGood_WhenThePasswordIsTooShort()
    {
        var person = await product.Get<ManagePeople>().CreateAsync($"new{Guid.NewGuid():N}", "New", null, [Roles.Viewer], WebProduct.Admin);
        var token = await product.Get<ManagePeople>().CreateSetupTokenAsync(person.Id, WebProduct.Admin);
        using var browser = product.Visitor();
        using var refused = await WebProduct.PostFormAsync(browser, $"/account/setup?token={token}", new() { ["token"] = token, ["password"] = "short" });
        Assert.Equal($"/account/setup?error=password&token={token}", refused.Headers.Location?.OriginalString);
        using var again = await WebProduct.PostFormAsync(browser, $"/account/setup?token={token}", new() { ["token"] = token, ["password"] = WebProduct.Password });
        Assert.Equal("/", again.Headers.Location?.OriginalString);
    }

    [Theory]
    [InlineData("/models?q=a", "/models?q=a")]
    [InlineData("https://elsewhere.example/", "/")]
    [InlineData("//elsewhere.example", "/")]
    [InlineData("/\\elsewhere.example", "/")]
    [InlineData("", "/")]
    public async Task SignIn_LeadsBack_ToThisProductOnly(string wanted, string got)
    {
        using var browser = product.Visitor();
        using var answer = await WebProduct.SignInAsync(browser, (await product.PersonAsync(Roles.Viewer)).UserName!, WebProduct.Password, wanted);
        Assert.Equal(HttpStatusCode.Found, answer.StatusCode);
        Assert.Equal(got, answer.Headers.Location?.OriginalString);
    }

    [Fact]
    public async Task SignIn_SaysTheSame_ForAWrongPasswordAndAnUnknownName()
    {
        var person = await product.PersonAsync(Roles.Viewer);
        using var browser = product.Visitor();
        using var wrong = await WebProduct.SignInAsync(browser, person.UserName!, "not the password");
        using var unknown = await WebProduct.SignInAsync(browser, "nobody-of-this-name", "not the password");
        Assert.Equal("/account/sign-in?error=credentials&returnUrl=%2F", wrong.Headers.Location?.OriginalString);
        Assert.Equal(wrong.Headers.Location, unknown.Headers.Location);
    }

    [Fact]
    public async Task SignIn_IsLocked_AfterTenWrongPasswords()
    {
        var person = await product.PersonAsync(Roles.Viewer);
        using var browser = product.Visitor();
        for (var i = 0; i < 10; i++)
            using (await WebProduct.SignInAsync(browser, person.UserName!, "not the password")) { }
        using var right = await WebProduct.SignInAsync(browser, person.UserName!, WebProduct.Password);
        Assert.Equal("/account/sign-in?error=locked&returnUrl=%2F", right.Headers.Location?.OriginalString);
    }

    [Fact]
    public async Task SignIn_IsRefused_WithoutTheFormsToken()
    {
        var person = await product.PersonAsync(Roles.Viewer);
        using var browser = product.Visitor();
        using var form = new FormUrlEncodedContent(new Dictionary<string, string> { ["username"] = person.UserName!, ["password"] = WebProduct.Password });
        using var answer = await browser.PostAsync(new Uri("/account/sign-in", UriKind.Relative), form);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    public async Task SignOut_EndsTheSession()
    {
        using var browser = await product.SessionAsync(Roles.Viewer);
        using var page = await browser.GetAsync(new Uri("/account/sign-in", UriKind.Relative));
        using var answer = await SignOutAsync(browser);
        Assert.Equal("/account/sign-in", answer.Headers.Location?.OriginalString);
        Assert.Equal(HttpStatusCode.Unauthorized, (await browser.GetAsync(Whoami)).StatusCode);
    }

    [Fact]
    public async Task ADisabledPerson_IsOut_AndCannotComeBack()
    {
        var person = await product.PersonAsync(Roles.Engineer);
        using var browser = product.Visitor();
        using (await WebProduct.SignInAsync(browser, person.UserName!, WebProduct.Password)) { }
        Assert.Equal(HttpStatusCode.OK, (await browser.GetAsync(Whoami)).StatusCode);
        await product.Get<ManagePeople>().ChangeAsync(person.Id, [Roles.Engineer], disabled: true, WebProduct.Admin);
        Assert.Equal(HttpStatusCode.Unauthorized, (await browser.GetAsync(Whoami)).StatusCode);
        using var again = await WebProduct.SignInAsync(browser, person.UserName!, WebProduct.Password);
        Assert.Equal("/account/sign-in?error=disabled&returnUrl=%2F", again.Headers.Location?.OriginalString);
    }

    [Fact]
    public void OpenPages_AreAskedOften_WhetherTheirPersonMayStay() => Assert.InRange(SessionRevalidation.Interval, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));

    [Theory]
    [InlineData("Sec-Fetch-Site", "cross-site")]
    [InlineData("Sec-Fetch-Site", "same-site")]
    [InlineData("Origin", "http://localhost:9999")]
    public async Task AChange_IsRefused_WhenAnotherSitesPageSendsItWithTheSession(string header, string value)
    {
        using var browser = await product.SessionAsync(Roles.Admin);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/pipelines/no-such-pipeline/runs");
        request.Headers.Add(header, value);
        using var answer = await browser.SendAsync(request);
        await answer.EnsureErrorAsync(HttpStatusCode.Forbidden,
            """{"error_code":"PERMISSION_DENIED","message":"This request comes from a page of another site. Programs send an API token instead of a session.","request_id":"ID"}""");
    }

    [Fact]
    public async Task EveryAnswer_CarriesTheSecurityHeaders_AndNamesNoOutsideHost()
    {
        using var browser = await product.SessionAsync(Roles.Viewer);
        foreach (var path in new[] { "/account/sign-in", "/api/v1/models", "/app.css", "/api/v1/no-such-thing", "/no-such-page" })
        {
            using var answer = await browser.GetAsync(new Uri(path, UriKind.Relative));
            var policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
            Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
            Assert.DoesNotContain("http", policy, StringComparison.Ordinal);
            Assert.DoesNotContain("script-src 'self' 'unsafe", policy, StringComparison.Ordinal);
            Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
            Assert.Equal("same-origin", Assert.Single(answer.Headers.GetValues("Referrer-Policy")));
        }
    }

    private static async Task<HttpResponseMessage> SignOutAsync(HttpClient browser)
    {
        // Any page's form token is good for every form of the same session.
        var html = await browser.GetStringAsync(new Uri("/account/sign-in", UriKind.Relative));
        var token = System.Text.RegularExpressions.Regex.Match(html, "name=\"__RequestVerificationToken\"[^>]*value=\"([^\"]+)\"").Groups[1].Value;
        using var form = new FormUrlEncodedContent(new Dictionary<string, string> { ["__RequestVerificationToken"] = token });
        return await browser.PostAsync(new Uri("/account/sign-out", UriKind.Relative), form);
    }
}
