using System.Buffers;
using System.Collections;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle;
using Microsoft.AspNetCore.Http.Features;

namespace LlmOps.Web.Api.Mlflow;

/// <summary>Reads a request: GET has its fields in the query, lists as repeated keys; everything else has a JSON object as body, DELETE too.</summary>
public static class MlflowRequest
{
    /// <summary>Beginning of the message about a body that is no JSON at all.</summary>
    internal const string NoJson = "The request body is no JSON object";

    public static async Task<T> ReadAsync<T>(HttpContext http) where T : class
    {
        var request = http.Request;
        if (HttpMethods.IsGet(request.Method))
            return FromQuery<T>(request.Query);
        EnsureJson(request);
        // Clients of DELETE that put their fields into the address are understood, too.
        if (request.ContentLength == 0 || (request.ContentLength is null && request.ContentType is null))
            return FromQuery<T>(request.Query);
        return await FromBodyAsync<T>(request, http.RequestAborted);
    }

    public delegate T BodyReader<T>(ReadOnlySpan<byte> body);

    /// <summary>A body that is read by hand. One that says it is larger is refused, and the server stops reading one that does not say so.</summary>
    public static async Task<T> ReadAsync<T>(HttpContext http, int most, BodyReader<T> read)
    {
        var request = http.Request;
        EnsureJson(request);
        if (request.ContentLength > most)
            throw LlmOpsException.Invalid($"Batched logging API requests must be at most {most} bytes, got a request of size {request.ContentLength}.");
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = most;
        var buffer = ArrayPool<byte>.Shared.Rent((int)(request.ContentLength ?? most) + 1);
        try
        {
            var length = await request.Body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, http.RequestAborted);
            if (length > most)
                throw LlmOpsException.Invalid($"Batched logging API requests must be at most {most} bytes.");
            return read(buffer.AsSpan(0, length));
        }
        catch (JsonException e)
        {
            throw NoJsonAt(e);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static void EnsureJson(HttpRequest request)
    {
        if (request.ContentType is { Length: > 0 } type ? !request.HasJsonContentType() : HttpMethods.IsPost(request.Method) && request.ContentLength is not (null or 0))
            throw LlmOpsException.Invalid($"Bad Request. Content-Type should be one of ['application/json'], not '{Lifecycle.Tracking.TrackingKeys.Shown(request.ContentType ?? "")}'.");
    }

    private static JsonException NoJsonAt(JsonException e) => new($"{NoJson}: look at {e.Path ?? "$"}, line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}.", e);

    private static async Task<T> FromBodyAsync<T>(HttpRequest request, CancellationToken ct) where T : class
    {
        try
        {
            return await JsonSerializer.DeserializeAsync<T>(request.Body, MlflowJson.Options, ct) ?? throw new JsonException(NoJson + ".");
        }
        catch (JsonException e) when (e.InnerException is JsonException)
        {
            // The text breaks off or has a wrong character; a value of the wrong type has no such inner exception.
            throw NoJsonAt(e);
        }
    }

    /// <summary>The same record as for a body, so that one address can take both.</summary>
    private static T FromQuery<T>(IQueryCollection query) where T : class
    {
        var fields = new JsonObject();
        foreach (var property in typeof(T).GetProperties())
        {
            var name = JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name);
            // some clients write lists as in a form of PHP
            if (!query.TryGetValue(name, out var values) && !query.TryGetValue(name + "[]", out values))
                continue;
            if (property.PropertyType != typeof(string) && typeof(IEnumerable).IsAssignableFrom(property.PropertyType))
                fields[name] = new JsonArray([.. values.Select(v => JsonValue.Create(v))]);
            else if (values is [.., var last] && (last?.Length > 0 || property.PropertyType == typeof(string)))
                fields[name] = last;
        }
        return fields.Deserialize<T>(MlflowJson.Options)!;
    }
}
