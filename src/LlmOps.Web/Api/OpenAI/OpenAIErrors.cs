using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using LlmOps.Lifecycle;

namespace LlmOps.Web.Api.OpenAI;

/// <summary>The error of an answer, in the shape that OpenAI's clients sort into their exception classes.</summary>
public sealed record OpenAIError(string Message, string Type, string? Param, string? Code);

/// <summary>A request that is refused with a code that the product's own errors do not know.</summary>
public sealed class OpenAIException(int status, string type, string? code, string message, string? param = null) : Exception(message)
{
    public int Status { get; } = status;
    public OpenAIError Error { get; } = new(message, type, param, code);

    public static OpenAIException Invalid(string message, string? param, string? code = null) => new(StatusCodes.Status400BadRequest, "invalid_request_error", code, message, param);

    public static OpenAIException NoModel(string message) => new(StatusCodes.Status404NotFound, "not_found_error", "model_not_found", message, "model");

    public static OpenAIException TooLong(string message) => Invalid(message, "messages", "context_length_exceeded");
}

/// <summary>Addresses that speak OpenAI's language, and its JSON: nulls are written, because clients look for them.</summary>
public static class OpenAIErrors
{
    private static readonly string[] Paths = ["/v1", "/tokenize", "/detokenize", "/score", "/rerank"];

    public static JsonSerializerOptions Json { get; } = new(Lifecycle.Data.Json.Options) { DefaultIgnoreCondition = JsonIgnoreCondition.Never, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static bool Apply(PathString path) => Paths.Any(p => path.StartsWithSegments(p, StringComparison.Ordinal));

    public static (int Status, OpenAIError Error) Translate(Exception exception)
    {
        if (exception is OpenAIException refusal)
            return (refusal.Status, refusal.Error);
        var (code, message, status) = ApiErrors.Translate(exception);
        return Translate(code, message, status);
    }

    public static async Task WriteAsync(HttpContext http, int status, OpenAIError error)
    {
        http.Response.StatusCode = status;
        await http.Response.WriteAsJsonAsync(new { error }, Json, http.RequestAborted);
    }

    public static Task WriteAsync(HttpContext http, ErrorCode code, string message, int? status)
    {
        var (found, error) = Translate(code, message, status);
        return WriteAsync(http, found, error);
    }

    private static (int, OpenAIError) Translate(ErrorCode code, string message, int? status)
    {
        var (type, name) = code switch
        {
            _ when status == StatusCodes.Status429TooManyRequests => ("rate_limit_error", "rate_limit_exceeded"),
            ErrorCode.Unauthenticated => ("authentication_error", "invalid_api_key"),
            ErrorCode.PermissionDenied => ("permission_error", "permission_denied"),
            ErrorCode.ResourceDoesNotExist => ("not_found_error", null),
            ErrorCode.RequestLimitExceeded => ("invalid_request_error", "request_too_large"),
            ErrorCode.TemporarilyUnavailable => ("server_error", "server_overloaded"),
            ErrorCode.ResourceExhausted or ErrorCode.InternalError => ("server_error", null),
            _ => ("invalid_request_error", (string?)null),
        };
        return (status ?? code.HttpStatus(), new(message, type, null, name));
    }
}
