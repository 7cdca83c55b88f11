using System.Security.Cryptography;

namespace LlmOps.Web.Hosting;

public static class SecurityHeaders
{
    private static readonly object NonceKey = new();

    /// <summary>What inline scripts of this answer must carry to be run.</summary>
    public static string Nonce(this HttpContext http) => (string)(http.Items[NonceKey] ??= Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)));

    public static void UseSecurityHeaders(this WebApplication app) => app.Use((http, next) =>
    {
        // Set as the answer starts: an exception handler clears headers that were set before it.
        http.Response.OnStarting(() =>
        {
            var headers = http.Response.Headers;
            headers.ContentSecurityPolicy = Policy(http);
            headers.XContentTypeOptions = "nosniff";
            headers["Referrer-Policy"] = "same-origin";
            headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()";
            return Task.CompletedTask;
        });
        return next(http);
    });

    /// <summary>
    /// No outside host anywhere. Styles may be inline because the component library sets style attributes; scripts may not, except on
    /// the two pages that packages bring ready-made, which only signed-in people reach.
    /// </summary>
    private static string Policy(HttpContext http)
    {
        var readyMade = http.Request.Path.StartsWithSegments("/docs/api") || http.Request.Path.StartsWithSegments("/hangfire");
        var scripts = readyMade ? "'self' 'unsafe-inline' 'unsafe-eval'" : $"'self' 'nonce-{http.Nonce()}'";
        return $"default-src 'self'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; " +
            "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";
    }
}
