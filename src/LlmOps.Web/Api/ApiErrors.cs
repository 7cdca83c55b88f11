using System.Diagnostics;
using System.Text.Json;
using LlmOps.Engines;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Web.Security;
using Microsoft.AspNetCore.Diagnostics;

namespace LlmOps.Web.Api;

public sealed record ApiError(string ErrorCode, string Message, string RequestId);

/// <summary>The one translation of exceptions to answers. A refusal is said as it is; anything else is logged and only its id is told.</summary>
public sealed class ApiErrors(ILogger<ApiErrors> log) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext http, Exception exception, CancellationToken ct)
    {
        if (exception is OperationCanceledException && http.RequestAborted.IsCancellationRequested)
            return true;
        var (code, message, status) = Translate(exception);
        if (code == ErrorCode.InternalError)
            log.LogError(exception, "{Method} {Path} failed, request id {RequestId}", http.Request.Method, http.Request.Path, RequestId(http));
        await WriteAsync(http, code, message, status);
        return true;
    }

    public static (ErrorCode Code, string Message, int? Status) Translate(Exception exception) => exception switch
    {
        LlmOpsException e => (e.Code, e.Message, null),
        InvalidModelException or UnsupportedModelException => (ErrorCode.InvalidParameterValue, exception.Message, null),
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => (ErrorCode.RequestLimitExceeded, "The request is larger than this address takes.", null),
        BadHttpRequestException { InnerException: JsonException json } => (ErrorCode.BadRequest, Words(json), null),
        BadHttpRequestException e => (ErrorCode.BadRequest, e.Message, e.StatusCode),
        JsonException json => (ErrorCode.BadRequest, Words(json), null),
        IOException io when Lifecycle.Artifacts.ArtifactStore.IsDiskFull(io) => (ErrorCode.ResourceExhausted, "The disk that holds the data folder is full. Free some space, then try again.", null),
        _ => (ErrorCode.InternalError, "This did not work, for a reason this address does not know. Try again; if it comes back, give the request id to whoever runs this server.", null),
    };

    public static Task WriteAsync(HttpContext http, ErrorCode code, string message, int? status = null)
    {
        http.Response.StatusCode = status ?? code.HttpStatus();
        return http.Response.WriteAsJsonAsync(new ApiError(code.WireName(), message, RequestId(http)), Json.Options, http.RequestAborted);
    }

    public static Task WriteForbiddenAsync(HttpContext http) =>
        WriteAsync(http, ErrorCode.PermissionDenied, $"{http.User.ToActor().Name} may not do this. An administrator can give a role that may, under Settings; a token can do only what its scopes say.");

    public static string RequestId(HttpContext http) => Activity.Current?.TraceId.ToString() ?? http.TraceIdentifier;

    /// <summary>Where the JSON is wrong, without the names of types that only this program knows.</summary>
    private static string Words(JsonException e) => e.LineNumber is { } line
        ? $"The request body is not the JSON that this address takes: look at {e.Path ?? "$"}, line {line + 1}, byte {e.BytePositionInLine + 1}."
        : $"The request body is not the JSON that this address takes{(e.Message.Contains("missing required", StringComparison.Ordinal) ? ": a required property is missing" : "")}.";
}
