using LlmOps.Lifecycle.Data;

namespace LlmOps.Web.Api;

public static class ApiSetup
{
    public static void AddApi(this IServiceCollection services)
    {
        services.AddExceptionHandler<ApiErrors>();
        services.AddProblemDetails();
        services.ConfigureHttpJsonOptions(o =>
        {
            Json.Configure(o.SerializerOptions);
            // A property that a request lacks is refused by name instead of being null somewhere later.
            o.SerializerOptions.RespectRequiredConstructorParameters = true;
            o.SerializerOptions.RespectNullableAnnotations = true;
        });
        // What cannot be bound is told in the product's own form, in every environment.
        services.Configure<RouteHandlerOptions>(o => o.ThrowOnBadRequest = true);
        services.AddOpenApi("v1", o => o.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new() { Title = "LlmOps", Version = "v1", Description = "Lists take q, sort, desc, skip and take, and answer {rows, total}. Times are Unix milliseconds. Errors are {error_code, message, request_id}." };
            return Task.CompletedTask;
        }));
    }
}
