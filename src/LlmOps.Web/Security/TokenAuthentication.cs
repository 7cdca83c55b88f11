using System.Net.Http.Headers;
using System.Security.Claims;
using System.Text;
using System.Text.Encodings.Web;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Api;
using LlmOps.Web.Api.Mlflow;
using LlmOps.Web.Api.OpenAI;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace LlmOps.Web.Security;

/// <summary>API tokens: "Authorization: Bearer llmops_…", or Basic with the token as the password and any user name.</summary>
public sealed class TokenAuthentication(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logs, UrlEncoder encoder, ManageTokens tokens)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logs, encoder)
{
    public new const string Scheme = "token";
    public const string IdClaim = "llmops:token";
    private const string LimitsClaim = "llmops:limits";

    /// <summary>Tokens are for programs: pages take sessions only.</summary>
    public static bool Applies(HttpContext http) =>
        http.Request.Headers.Authorization.Count > 0 && IsForPrograms(http.Request.Path);

    /// <summary>Addresses that answer programs in their own form, and never send them to a page.</summary>
    public static bool IsForPrograms(PathString path) => path.StartsWithSegments("/api") || path.StartsWithSegments("/openapi") || path == PrometheusApi.Address || OpenAIErrors.Apply(path)
        || MlflowErrors.Serves(path) || path == "/get-artifact" || path == "/model-versions/get-artifact";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (Secret() is not { } secret)
            return AuthenticateResult.Fail("No token in the Authorization header.");
        if (await tokens.FindAsync(secret, Context.RequestAborted) is not { } token)
            return AuthenticateResult.Fail("The token is unknown, expired or revoked.");
        var actor = token.Actor;
        var claims = actor.Permissions.Select(p => new Claim(Permissions.ScopeClaim, p.ToString()))
            .Append(new(ClaimTypes.NameIdentifier, actor.Id.ToString())).Append(new(ClaimTypes.Name, actor.Name))
            .Append(new(IdClaim, token.Id.ToString("N"))).Append(new(LimitsClaim, Json.Write(token.Limits)));
        return AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(new ClaimsIdentity(claims, Scheme)), Scheme));
    }

    /// <summary>What the token of this request may ask of the models.</summary>
    public static TokenLimits LimitsOf(ClaimsPrincipal user) => user.FindFirstValue(LimitsClaim) is { } limits ? Json.Read<TokenLimits>(limits) : TokenLimits.None;

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.Headers.WWWAuthenticate = "Bearer";
        return ApiErrors.WriteAsync(Context, ErrorCode.Unauthenticated, "This token is unknown, expired or revoked. Make a new one under Settings and send it as 'Authorization: Bearer llmops_…'.");
    }

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) => ApiErrors.WriteForbiddenAsync(Context);

    private string? Secret()
    {
        if (!AuthenticationHeaderValue.TryParse(Request.Headers.Authorization, out var header) || header.Parameter is not { Length: > 0 } value)
            return null;
        if (header.Scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase))
            return value;
        if (!header.Scheme.Equals("Basic", StringComparison.OrdinalIgnoreCase))
            return null;
        try
        {
            var pair = Encoding.UTF8.GetString(Convert.FromBase64String(value));
            return pair.IndexOf(':') is >= 0 and var colon ? pair[(colon + 1)..] : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
