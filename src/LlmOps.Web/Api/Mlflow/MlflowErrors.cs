using System.Text.Json;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Api.Mlflow;

public sealed record MlflowError(string ErrorCode, string Message, string RequestId);

/// <summary>Refusals as clients of the MLflow API read them. Its codes have other statuses than this server's own for two words; what is a mistake of the caller is never a 5xx, which clients would repeat.</summary>
public static class MlflowErrors
{
    /// <summary>Every code of the API and its status.</summary>
    public static IReadOnlyDictionary<string, int> Statuses { get; } = new Dictionary<string, int>
    {
        ["INVALID_PARAMETER_VALUE"] = 400, ["BAD_REQUEST"] = 400, ["RESOURCE_ALREADY_EXISTS"] = 400,
        ["UNAUTHENTICATED"] = 401, ["CUSTOMER_UNAUTHORIZED"] = 401, ["PERMISSION_DENIED"] = 403,
        ["RESOURCE_DOES_NOT_EXIST"] = 404, ["NOT_FOUND"] = 404, ["ENDPOINT_NOT_FOUND"] = 404,
        ["ALREADY_EXISTS"] = 409, ["RESOURCE_CONFLICT"] = 409, ["ABORTED"] = 409,
        ["REQUEST_LIMIT_EXCEEDED"] = 429, ["RESOURCE_EXHAUSTED"] = 429, ["CANCELLED"] = 499,
        ["INTERNAL_ERROR"] = 500, ["INVALID_STATE"] = 500, ["DATA_LOSS"] = 500, ["NOT_IMPLEMENTED"] = 501, ["TEMPORARILY_UNAVAILABLE"] = 503, ["DEADLINE_EXCEEDED"] = 504,
    };

    public static bool Serves(PathString path) => path.StartsWithSegments("/api/2.0") || path.StartsWithSegments("/api/3.0") || path.StartsWithSegments("/api/2.0mlflow") || path.StartsWithSegments("/ajax-api");

    /// <summary>Null for a failure that this API has no word for: it is logged and told like any other.</summary>
    public static (string Code, string Message)? Translate(Exception exception) => exception switch
    {
        LlmOpsException e when e.Code == ErrorCode.RequestLimitExceeded => ("INVALID_PARAMETER_VALUE", e.Message),
        LlmOpsException e => (e.Code.WireName(), e.Message),
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => ("INVALID_PARAMETER_VALUE", "The request is larger than this address takes. Split it up and try again."),
        BadHttpRequestException => ("BAD_REQUEST", "The request could not be read to its end."),
        NullItemException empty => ("INVALID_PARAMETER_VALUE", $"Invalid value for parameter '{empty.List}' supplied: it holds null, and each of its items needs a value."),
        JsonException json => json.Message.StartsWith(MlflowRequest.NoJson, StringComparison.Ordinal)
            ? ("BAD_REQUEST", json.Message) : ("INVALID_PARAMETER_VALUE", $"Invalid value for parameter '{(json.Path ?? "$").TrimStart('$').TrimStart('.')}' supplied: it has another type than this address takes."),
        DbUpdateConcurrencyException => ("RESOURCE_CONFLICT", "Somebody changed this in the same moment. Read it again, then repeat."),
        _ => null,
    };

    public static Task WriteAsync(HttpContext http, string code, string message)
    {
        http.Response.StatusCode = Statuses[code];
        if (http.Response.StatusCode is StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable)
            http.Response.Headers.RetryAfter = "1";
        return http.Response.WriteAsJsonAsync(new MlflowError(code, message, ApiErrors.RequestId(http)), MlflowJson.Options, CancellationToken.None);
    }

    public static LlmOpsException NotImplemented(string what) => new(ErrorCode.NotImplemented, $"{what} is not implemented by this server. docs/mlflow-compatibility.md lists what is.");
}
