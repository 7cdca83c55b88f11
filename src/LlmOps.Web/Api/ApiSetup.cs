using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Web.Api.Mlflow;
using LlmOps.Web.Api.OpenAI;
using Microsoft.AspNetCore.Diagnostics;

namespace LlmOps.Web.Api;

public static class ApiSetup
{
    /// <summary>Gives a body to what the routing refuses by a status alone, and keeps the pages' own answer to it away from the API.</summary>
    public static void UseApiErrors(this WebApplication app) => app.Use(async (http, next) =>
    {
        var mlflow = MlflowErrors.Serves(http.Request.Path);
        if (!mlflow && !http.Request.Path.StartsWithSegments("/api") && !OpenAIErrors.Apply(http.Request.Path))
        {
            await next(http);
            return;
        }
        // A re-executed API request would meet the page's rules and lose its own status and body.
        if (http.Features.Get<IStatusCodePagesFeature>() is { } pages)
            pages.Enabled = false;
        await next(http);
        var path = http.Request.Path;
        if (http.Response.HasStarted || http.Response.ContentLength is not null)
            return;
        await (http.Response.StatusCode switch
        {
            StatusCodes.Status404NotFound or StatusCodes.Status405MethodNotAllowed when mlflow => MlflowErrors.WriteAsync(http, "ENDPOINT_NOT_FOUND", $"{http.Request.Method} {path} is no address of this server. docs/mlflow-compatibility.md lists those that are."),
            StatusCodes.Status404NotFound => ApiErrors.WriteAsync(http, ErrorCode.ResourceDoesNotExist, $"{http.Request.Method} {path} is no address of this server. See /docs/api for those that are."),
            StatusCodes.Status405MethodNotAllowed => ApiErrors.WriteAsync(http, ErrorCode.BadRequest, $"{http.Request.Method} is no method of {path}. It takes {http.Response.Headers.Allow}.", StatusCodes.Status405MethodNotAllowed),
            StatusCodes.Status415UnsupportedMediaType => ApiErrors.WriteAsync(http, ErrorCode.BadRequest, $"{path} takes JSON. Send it with 'Content-Type: application/json'.", StatusCodes.Status415UnsupportedMediaType),
            _ => Task.CompletedTask,
        });
    });

    public static void AddApi(this IServiceCollection services)
    {
        services.AddExceptionHandler<ApiErrors>();
        services.AddProblemDetails();
        services.ConfigureHttpJsonOptions(o =>
        {
            Json.Configure(o.SerializerOptions).RefuseNullItems();
            // A property that a request lacks is refused by name instead of being null somewhere later.
            o.SerializerOptions.RespectRequiredConstructorParameters = true;
            o.SerializerOptions.RespectNullableAnnotations = true;
        });
        // What cannot be bound is told in the product's own form, in every environment.
        services.Configure<RouteHandlerOptions>(o => o.ThrowOnBadRequest = true);
        services.AddApiDocument();
    }
}
