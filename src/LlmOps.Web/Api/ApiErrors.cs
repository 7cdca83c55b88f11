using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using LlmOps.Engines;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Web.Api.OpenAI;
using LlmOps.Web.Api.Otlp;
using LlmOps.Web.Security;
using LlmOps.Web.Serving;
using Microsoft.AspNetCore.Diagnostics;

namespace LlmOps.Web.Api;

public sealed record ApiError(string ErrorCode, string Message, string RequestId);

/// <summary>The one translation of exceptions to answers. A refusal is said as it is; anything else is logged and only its id is told.</summary>
public sealed partial class ApiErrors(ILogger<ApiErrors> log) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext http, Exception exception, CancellationToken ct)
    {
        if (exception is OperationCanceledException && http.RequestAborted.IsCancellationRequested)
            return true;
        if (exception is OpenAIException refusal)
        {
            await OpenAIErrors.WriteAsync(http, refusal.Status, refusal.Error);
            return true;
        }
        if (exception is TooManyRequestsException busy)
            http.Response.Headers.RetryAfter = busy.RetryAfterSeconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        var (code, message, status) = Translate(exception);
        if (code == ErrorCode.InternalError)
            log.LogError(exception, "{Method} {Path} failed, request id {RequestId}", http.Request.Method, http.Request.Path, RequestId(http));
        await WriteAsync(http, code, message, status);
        return true;
    }

    public static (ErrorCode Code, string Message, int? Status) Translate(Exception exception) => exception switch
    {
        LlmOpsException e => (e.Code, e.Message, null),
        TooManyRequestsException => (ErrorCode.RequestLimitExceeded, exception.Message, StatusCodes.Status429TooManyRequests),
        InvalidModelException or UnsupportedModelException => (ErrorCode.InvalidParameterValue, exception.Message, null),
        MalformedOtlpException => (ErrorCode.BadRequest, exception.Message, null),
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => (ErrorCode.RequestLimitExceeded, "The request is larger than this address takes.", null),
        BadHttpRequestException { InnerException: JsonException json } => (ErrorCode.BadRequest, Words(json), null),
        BadHttpRequestException e => (ErrorCode.BadRequest, Words(e), e.StatusCode),
        JsonException json => (ErrorCode.BadRequest, Words(json), null),
        IOException io when Lifecycle.Artifacts.ArtifactStore.IsDiskFull(io) => (ErrorCode.ResourceExhausted, "The disk that holds the data folder is full. Free some space, then try again.", null),
        _ => (ErrorCode.InternalError, "This did not work, for a reason this address does not know. Try again; if it comes back, give the request id to whoever runs this server.", null),
    };

    public static Task WriteAsync(HttpContext http, ErrorCode code, string message, int? status = null)
    {
        if (OtlpReply.Serves(http.Request.Path))
            return OtlpReply.WriteErrorAsync(http, code, message, status);
        if (OpenAIErrors.Apply(http.Request.Path))
            return OpenAIErrors.WriteAsync(http, code, message, status);
        http.Response.StatusCode = status ?? code.HttpStatus();
        return http.Response.WriteAsJsonAsync(new ApiError(code.WireName(), message, RequestId(http)), Json.Options, http.RequestAborted);
    }

    public static Task WriteForbiddenAsync(HttpContext http) =>
        WriteAsync(http, ErrorCode.PermissionDenied, $"{http.User.ToActor().Name} may not do this. An administrator can give a role that may, under Settings; a token can do only what its scopes say.");

    public static string RequestId(HttpContext http) => Activity.Current?.TraceId.ToString() ?? http.TraceIdentifier;

    /// <summary>The framework names parameters with the types of this program; a caller knows only their names.</summary>
    private static string Words(BadHttpRequestException e)
    {
        if (e.Message.Contains("no body was provided", StringComparison.Ordinal))
            return "This address needs a JSON body.";
        var message = BoundPattern().Replace(e.Message, "'$2' is no value for '$1'.");
        return MissingPattern().Replace(message, "'$1' is missing from the $2.");
    }

    [GeneratedRegex("""^Failed to bind parameter "[^"]* (\w+)" from "(.*)"\.$""", RegexOptions.Singleline)]
    private static partial Regex BoundPattern();

    [GeneratedRegex("""^Required parameter "[^"]* (\w+)" was not provided from (.*)\.$""")]
    private static partial Regex MissingPattern();

    /// <summary>Where the JSON is wrong, without the names of types that only this program knows.</summary>
    private static string Words(JsonException e)
    {
        const string Start = "The request body is not the JSON that this address takes";
        if (e is NullItemException)
            return $"{Start}: {e.Message}";
        if (LacksPattern().Match(e.Message) is { Success: true } lacks)
            return $"{Start}: {lacks.Groups[1].Value} is missing.";
        if (NullPattern().Match(e.Message) is { Success: true } empty)
            return $"{Start}: '{empty.Groups[1].Value}' may not be null.";
        return e.LineNumber is { } line ? $"{Start}: look at {e.Path ?? "$"}, line {line + 1}, byte {e.BytePositionInLine + 1}." : $"{Start}.";
    }

    [GeneratedRegex("missing required properties including: (.*?)\\.(?: |$)")]
    private static partial Regex LacksPattern();

    [GeneratedRegex("^The (?:property or field|constructor parameter) '(\\w+)' on type .* doesn't allow")]
    private static partial Regex NullPattern();
}
