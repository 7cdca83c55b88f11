using LlmOps.Lifecycle;

namespace LlmOps.Web.Security;

/// <summary>
/// A browser sends the session's cookie with requests that other programs on the same host make (cookies know no ports), whatever
/// SameSite says. Requests that change something by a session therefore have to come from this product's own pages.
/// </summary>
public static class SameOrigin
{
    public static void UseSameOrigin(this WebApplication app) => app.Use((http, next) =>
    {
        var request = http.Request;
        var safe = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || HttpMethods.IsOptions(request.Method);
        if (safe || TokenAuthentication.Applies(http) || IsOwn(request))
            return next(http);
        throw new LlmOpsException(ErrorCode.PermissionDenied, "This request comes from a page of another site. Programs send an API token instead of a session.");
    });

    /// <summary>Browsers always say where a changing request comes from; what says nothing is no browser and has no session by accident.</summary>
    private static bool IsOwn(HttpRequest request)
    {
        if (request.Headers["Sec-Fetch-Site"].FirstOrDefault() is { } site)
            return site is "same-origin" or "none";
        return request.Headers.Origin.FirstOrDefault() is not { } origin
            || (Uri.TryCreate(origin, UriKind.Absolute, out var from) && from.Authority.Equals(request.Host.Value, StringComparison.OrdinalIgnoreCase));
    }
}
