using System.Net;
using System.Text;
using LlmOps.Lifecycle.Identity;

namespace LlmOps.Web.Tests.Security;

public sealed class EveryEndpointTests(WebProduct product)
{
    /// <summary>What answers without a session, beside static files. Whoever makes this list longer should be able to say why.</summary>
    private static readonly string[] Open = ["GET /account/setup", "GET /account/sign-in", "GET /ajax-api/3.0/mlflow/server-info", "GET /api/2.0/mlflow-artifacts/granted/{**path}", "GET /api/3.0/mlflow/server-info", "GET /docs/api/favicon.svg", "GET /docs/api/scalar.aspnetcore.js", "GET /docs/api/scalar.js", "GET /health", "GET /health/live", "GET /health/ready", "GET /version", "POST /account/setup", "POST /account/sign-in", "PUT /api/2.0/mlflow-artifacts/granted/{**path}"];

    /// <summary>What a mere reader may send: getting in and out, and the circuit of the pages, behind which every use case asks for its own permission.</summary>
    private static bool IsForReaders(Address address) =>
        address.Pattern is "/account/sign-in" or "/account/setup" or "/account/sign-out" || address.Pattern.StartsWith("/_blazor", StringComparison.Ordinal) || address.Pattern.StartsWith("/_framework", StringComparison.Ordinal);

    [Fact]
    public void OpenEndpoints_AreExactlyTheListedOnes()
    {
        var open = AllEndpoints.Of(product).Where(a => a.IsOpen && !a.IsStaticFile && !a.Pattern.StartsWith("/_framework", StringComparison.Ordinal))
            .Where(a => !a.Pattern.StartsWith("/health", StringComparison.Ordinal) || a.Method == "GET").Select(a => $"{a.Method} {a.Pattern}").Order(StringComparer.Ordinal);
        Assert.Equal(Open, open);
    }

    /// <summary>Two of the listed ones read and write files: the permission is in the address itself, sealed by this server. <see cref="Api.Mlflow.ArtifactGrantTests"/> tries to bend one.</summary>
    [Theory]
    [InlineData("GET")]
    [InlineData("PUT")]
    public async Task AGrantedAddress_IsForbidden_WithoutItsGrant(string method)
    {
        using var visitor = product.Visitor();
        using var answer = await SendAsync(visitor, new(method, "", "/api/2.0/mlflow-artifacts/granted/1/2/artifacts/x", true, false));
        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        Assert.Contains("PERMISSION_DENIED", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task EveryOtherEndpoint_AnswersNothing_WithoutASession()
    {
        using var visitor = product.Visitor();
        var wrong = new List<string>();
        var closed = AllEndpoints.Of(product).Where(a => !a.IsOpen).ToList();
        foreach (var address in closed)
        {
            using var answer = await SendAsync(visitor, address);
            var refused = IsForPrograms(address) ? answer.StatusCode == HttpStatusCode.Unauthorized
                : answer.StatusCode == HttpStatusCode.Found && answer.Headers.Location!.AbsolutePath == "/account/sign-in";
            if (!refused)
                wrong.Add($"{address.Method} {address.Path}: {(int)answer.StatusCode}");
        }
        Assert.Empty(wrong);
        Assert.True(closed.Count > 80, $"Only {closed.Count} endpoints were tried: the table is not read right.");
    }

    [Fact]
    public async Task AnUnknownAddress_TellsNothing_WithoutASession()
    {
        using var visitor = product.Visitor();
        Assert.Equal(HttpStatusCode.Found, (await visitor.GetAsync(new Uri("/no-such-page", UriKind.Relative))).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await visitor.GetAsync(new Uri("/api/v1/no-such-thing", UriKind.Relative))).StatusCode);
    }

    [Fact]
    public async Task AViewersSession_ChangesNothing_Anywhere()
    {
        using var viewer = await product.SessionAsync(Roles.Viewer);
        await EnsureForbiddenAsync(viewer, Changing().ToList());
    }

    [Fact]
    public async Task AViewersToken_ChangesNothing_InTheApi()
    {
        using var viewer = await product.ProgramAsync(Roles.Viewer);
        await EnsureForbiddenAsync(viewer, Changing().Where(IsForPrograms).ToList());
    }

    /// <summary>A token is held to its scopes, whatever its owner may do.</summary>
    [Fact]
    public async Task AnAdministratorsTokenWithReadOnly_ChangesNothing_InTheApi()
    {
        using var reader = await product.ProgramAsync(Roles.Admin, Permission.Read);
        await EnsureForbiddenAsync(reader, Changing().Where(IsForPrograms).ToList());
    }

    [Fact]
    public async Task AdministratorsPages_AreForbidden_ToOthers()
    {
        using var engineer = await product.SessionAsync(Roles.Engineer);
        foreach (var path in new[] { "/hangfire", "/api/v1/people" })
            Assert.Equal(HttpStatusCode.Forbidden, (await engineer.GetAsync(new Uri(path, UriKind.Relative))).StatusCode);
    }

    private IEnumerable<Address> Changing() => AllEndpoints.Of(product).Where(a => a.Method != "GET" && !a.IsStaticFile && !a.OnlyReads && !IsForReaders(a) && !a.IsOpen);

    private static async Task EnsureForbiddenAsync(HttpClient client, List<Address> addresses)
    {
        Assert.True(addresses.Count > 20, $"Only {addresses.Count} endpoints were tried: the table is not read right.");
        var wrong = new List<string>();
        foreach (var address in addresses)
        {
            using var answer = await SendAsync(client, address);
            if (answer.StatusCode != HttpStatusCode.Forbidden || !(await answer.Content.ReadAsStringAsync()).Contains("PERMISSION_DENIED", StringComparison.OrdinalIgnoreCase))
                wrong.Add($"{address.Method} {address.Path}: {(int)answer.StatusCode}");
        }
        Assert.Empty(wrong);
    }

    private static bool IsForPrograms(Address address) => LlmOps.Web.Security.TokenAuthentication.IsForPrograms(address.Path);

    private static async Task<HttpResponseMessage> SendAsync(HttpClient client, Address address)
    {
        using var request = new HttpRequestMessage(new HttpMethod(address.Method), address.Path);
        if (address.Method != "GET")
            request.Content = new StringContent("{}", Encoding.UTF8, "application/json");
        return await client.SendAsync(request);
    }
}
