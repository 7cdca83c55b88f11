using System.Text;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Web.Api.Otlp;

/// <summary>Answers in the form of the request: an Export…Response, or google.rpc.Status for a refusal.</summary>
public static class OtlpReply
{
    public const string Protobuf = "application/x-protobuf", Json = "application/json";
    private static readonly string[] Paths = ["/v1/traces", "/v1/metrics", "/v1/logs", "/api/public/otel"];

    public static bool Serves(PathString path) => Paths.Any(p => path.StartsWithSegments(p, StringComparison.Ordinal));

    /// <param name="http">The request that is answered.</param>
    /// <param name="rejected">How many items were not kept.</param>
    /// <param name="why">Told to the exporter, which writes it to its log.</param>
    /// <param name="field">The JSON name of the count.</param>
    internal static Task WriteAsync(HttpContext http, long rejected, string? why, string field)
    {
        http.Response.StatusCode = StatusCodes.Status200OK;
        if (OtlpBody.Json(http.Request))
            return WriteAsync(http, Json, Encoding.UTF8.GetBytes(why is null ? "{}" : AttributeText.Json(new Dictionary<string, object?>
            {
                // 64-bit numbers are texts in this form
                ["partialSuccess"] = new Dictionary<string, object?> { [field] = rejected.ToString(System.Globalization.CultureInfo.InvariantCulture), ["errorMessage"] = why },
            })));
        if (why is null)
            return WriteAsync(http, Protobuf, []);
        var partial = new WireWriter();
        partial.Number(1, (ulong)rejected);
        partial.Text(2, why);
        var response = new WireWriter();
        response.Bytes(1, partial.Written);
        return WriteAsync(http, Protobuf, response.Written);
    }

    /// <summary>A refusal. What went wrong on this side is 503: only that and a few others are tried again by exporters.</summary>
    public static Task WriteErrorAsync(HttpContext http, ErrorCode code, string message, int? status)
    {
        var http5xx = code is ErrorCode.InternalError or ErrorCode.TemporarilyUnavailable or ErrorCode.ResourceExhausted;
        http.Response.StatusCode = http5xx ? StatusCodes.Status503ServiceUnavailable : code == ErrorCode.RequestLimitExceeded ? StatusCodes.Status413PayloadTooLarge : status ?? code.HttpStatus();
        if (http5xx)
            http.Response.Headers.RetryAfter = "5";
        var number = http.Response.StatusCode switch { 401 => 16, 403 => 7, 404 or 405 => 5, 413 => 8, 503 => 14, _ => 3 };
        var text = $"{code.WireName()}: {message}";
        if (OtlpBody.Json(http.Request))
            return WriteAsync(http, Json, Encoding.UTF8.GetBytes(AttributeText.Json(new Dictionary<string, object?> { ["code"] = (long)number, ["message"] = text })));
        var writer = new WireWriter();
        writer.Number(1, (ulong)number);
        writer.Text(2, text);
        return WriteAsync(http, Protobuf, writer.Written);
    }

    private static async Task WriteAsync(HttpContext http, string type, byte[] body)
    {
        http.Response.ContentType = type;
        http.Response.ContentLength = body.Length;
        await http.Response.Body.WriteAsync(body, http.RequestAborted);
    }
}
