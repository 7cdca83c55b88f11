using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LlmOps.Lifecycle.Identity;

namespace LlmOps.Web.Tests.Security;

public sealed class TokenTests(WebProduct product)
{
    private static readonly Uri Whoami = new("/api/v1/whoami", UriKind.Relative);

    [Fact]
    public async Task AToken_WorksAsBearer_AndAsThePasswordOfBasic()
    {
        var (secret, person) = await MakeAsync();
        using var bearer = product.With(new("Bearer", secret));
        using var basic = product.With(new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"anything:{secret}"))));
        var body = $$"""{"id":"{{person.Id}}","name":"{{person.UserName}}","permissions":["Read","Annotate"],"by":"token"}""";
        Assert.Equal(body, await bearer.GetStringAsync(Whoami));
        Assert.Equal(body, await basic.GetStringAsync(Whoami));
    }

    [Fact]
    public async Task ARevokedToken_IsRefused()
    {
        var (secret, person) = await MakeAsync();
        var actor = await product.Get<ManagePeople>().FindActorAsync(person.Id);
        var id = (await product.Get<ReadPeople>().TokensAsync(person.Id))[0].Id;
        await product.Get<ManageTokens>().RevokeAsync(id, actor!);
        using var program = product.With(new("Bearer", secret));
        using var answer = await program.GetAsync(Whoami);
        await answer.EnsureErrorAsync(HttpStatusCode.Unauthorized,
            """{"error_code":"UNAUTHENTICATED","message":"This token is unknown, expired or revoked. Make a new one under Settings and send it as 'Authorization: Bearer llmops_…'.","request_id":"ID"}""");
        Assert.Equal("Bearer", answer.Headers.WwwAuthenticate.ToString());
    }

    [Theory]
    [InlineData("Bearer", "llmops_0000")]
    [InlineData("Bearer", "something else")]
    [InlineData("Basic", "not base64!")]
    [InlineData("Digest", "x")]
    public async Task AnythingElseInTheHeader_IsRefused_EvenBesideAGoodSession(string scheme, string value)
    {
        using var browser = await product.SessionAsync(Roles.Admin);
        browser.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", $"{scheme} {value}");
        Assert.Equal(HttpStatusCode.Unauthorized, (await browser.GetAsync(Whoami)).StatusCode);
    }

    [Fact]
    public async Task AToken_OpensNoPage()
    {
        var (secret, _) = await MakeAsync();
        using var program = product.With(new("Bearer", secret));
        Assert.Equal(HttpStatusCode.Found, (await program.GetAsync(new Uri("/models", UriKind.Relative))).StatusCode);
    }

    [Fact]
    public async Task ADisabledPersonsToken_StopsWithThePerson()
    {
        var (secret, person) = await MakeAsync();
        await product.Get<ManagePeople>().ChangeAsync(person.Id, [Roles.Engineer], disabled: true, WebProduct.Admin);
        using var program = product.With(new("Bearer", secret));
        Assert.Equal(HttpStatusCode.Unauthorized, (await program.GetAsync(Whoami)).StatusCode);
    }

    [Fact]
    public async Task Tokens_AreMadeListedAndRevoked_OverTheApi()
    {
        using var engineer = await product.SessionAsync(Roles.Engineer);
        using var made = await engineer.PostAsJsonAsync("/api/v1/tokens", new { name = "ci", scopes = new[] { "Read", "RunPipelines" } });
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        var token = await made.Content.ReadFromJsonAsync<JsonElement>();
        using var program = product.With(new("Bearer", token.GetProperty("secret").GetString()));
        Assert.Equal(HttpStatusCode.OK, (await program.GetAsync(Whoami)).StatusCode);
        var listed = await engineer.GetStringAsync(new Uri("/api/v1/tokens", UriKind.Relative));
        Assert.Contains("\"name\":\"ci\"", listed, StringComparison.Ordinal);
        Assert.DoesNotContain(token.GetProperty("secret").GetString()!, listed, StringComparison.Ordinal);
        using var revoked = await engineer.DeleteAsync(new Uri($"/api/v1/tokens/{token.GetProperty("id").GetString()}", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NoContent, revoked.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await program.GetAsync(Whoami)).StatusCode);
    }

    private async Task<(string Secret, Person Person)> MakeAsync()
    {
        var person = await product.PersonAsync(Roles.Engineer);
        var made = await product.Get<ManageTokens>().CreateAsync("test", [Permission.Read, Permission.Annotate], null, (await product.Get<ManagePeople>().FindActorAsync(person.Id))!);
        return (made.Secret, person);
    }
}
