using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.Mlflow;

/// <summary>Marks an endpoint of this API; the test of the compatibility table reads it.</summary>
/// <param name="Address">Method and path behind the version prefix.</param>
/// <param name="Since">"2.0" or "3.0".</param>
public sealed record MlflowEndpoint(string Address, string Since, bool Implemented, bool OnlyReads);

/// <summary>What an endpoint needs of its request.</summary>
public sealed class MlflowCall(HttpContext http)
{
    public HttpContext Http => http;
    public Actor Actor => http.User.ToActor();
    public CancellationToken Aborted => http.RequestAborted;

    public T Get<T>() where T : notnull => http.RequestServices.GetRequiredService<T>();
}

/// <summary>Maps an address under each of its prefixes. An answer is always 200 with a JSON object, or an error.</summary>
public sealed class MlflowRoutes(IEndpointRouteBuilder app)
{
    private static readonly object Empty = new { };

    public void Read<T>(string methods, string path, Func<T, MlflowCall, Task<object>> answer, string since = "2.0") where T : class =>
        Map(methods, path, since, Permission.Read, new(), http => AnswerAsync(http, answer));

    public void Write<T>(string method, string path, Permission permission, Func<T, MlflowCall, Task<object?>> answer, string since = "2.0") where T : class =>
        Map(method, path, since, permission, new(OnlyReads: false), http => AnswerAsync(http, async (T request, MlflowCall call) => await answer(request, call) ?? Empty));

    /// <summary>Known, and answered by 501.</summary>
    public void Missing(string methods, string path, string what, string since = "3.0", bool onlyReads = false) =>
        Map(methods, path, since, onlyReads ? Permission.Read : Permission.RunPipelines, new(Implemented: false, onlyReads || methods == "GET"), _ => throw MlflowErrors.NotImplemented(what));

    /// <summary>An answer that writes itself.</summary>
    public void Raw(string method, string path, Permission permission, Func<MlflowCall, Task> answer, string since = "2.0") =>
        Map(method, path, since, permission, new(OnlyReads: permission == Permission.Read), http => answer(new(http)));

    /// <summary>The same at an address without a version.</summary>
    public IEndpointConventionBuilder At(string method, string pattern, Permission? permission, Func<MlflowCall, Task> answer)
    {
        var endpoint = app.MapMethods(pattern, [method], http => GuardAsync(http, () => answer(new(http)))).WithMetadata(new MlflowEndpoint($"{method} {pattern}", "", true, permission is null ? method == "GET" : permission == Permission.Read));
        return permission is { } needed ? endpoint.RequirePermission(needed) : endpoint.AllowAnonymous();
    }

    private sealed record Traits(bool Implemented = true, bool OnlyReads = true);

    private void Map(string methods, string path, string since, Permission permission, Traits traits, Func<HttpContext, Task> answer)
    {
        foreach (var method in methods.Split(','))
            foreach (var prefix in new[] { "/api/", "/ajax-api/" })
                app.MapMethods(prefix + since + path, [method], http => GuardAsync(http, () => answer(http))).RequirePermission(permission)
                    .WithMetadata(new MlflowEndpoint($"{method} {path}", since, traits.Implemented, traits.OnlyReads));
    }

    private static async Task AnswerAsync<T>(HttpContext http, Func<T, MlflowCall, Task<object>> answer) where T : class
    {
        var made = await answer(await MlflowRequest.ReadAsync<T>(http), new(http));
        await http.Response.WriteAsJsonAsync(made, made.GetType(), MlflowJson.Options, http.RequestAborted);
    }

    private static async Task GuardAsync(HttpContext http, Func<Task> answer)
    {
        try
        {
            await answer();
        }
        catch (Exception e) when (!http.Response.HasStarted && MlflowErrors.Translate(e) is not null)
        {
            var (code, message) = MlflowErrors.Translate(e)!.Value;
            await MlflowErrors.WriteAsync(http, code, message);
        }
    }
}
