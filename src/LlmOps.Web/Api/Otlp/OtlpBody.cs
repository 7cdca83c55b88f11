using System.IO.Compression;
using Microsoft.Net.Http.Headers;

namespace LlmOps.Web.Api.Otlp;

/// <summary>The body of a request, unpacked, and the form it has.</summary>
internal sealed record OtlpBody(ReadOnlyMemory<byte> Bytes, bool IsJson)
{
    /// <summary>Of what is sent and of what it unpacks to: a small body must not fill the memory.</summary>
    public const int Largest = 20 * 1024 * 1024;

    public static bool Json(HttpRequest request) => !IsType(request, OtlpReply.Protobuf);

    public static async Task<OtlpBody> ReadAsync(HttpRequest request, CancellationToken ct)
    {
        if (!IsType(request, OtlpReply.Protobuf) && !IsType(request, OtlpReply.Json))
            throw new BadHttpRequestException($"This address takes '{OtlpReply.Protobuf}' and '{OtlpReply.Json}'. Set the exporter's protocol to http/protobuf or http/json.", StatusCodes.Status415UnsupportedMediaType);
        if (request.ContentLength > Largest)
            throw TooLarge();
        var sent = await ReadAsync(request.Body, ct);
        var packing = request.Headers.ContentEncoding.ToString().Trim();
        if (packing.Equals("gzip", StringComparison.OrdinalIgnoreCase))
            sent = await UnpackAsync(sent, ct);
        else if (packing.Length > 0 && !packing.Equals("identity", StringComparison.OrdinalIgnoreCase))
            throw new BadHttpRequestException("This address takes bodies as they are or packed with gzip. Set the exporter's compression to gzip or none.", StatusCodes.Status415UnsupportedMediaType);
        return new(sent, Json(request));
    }

    private static async Task<ReadOnlyMemory<byte>> UnpackAsync(ReadOnlyMemory<byte> packed, CancellationToken ct)
    {
        // An empty body is an empty request, packed or not.
        if (packed.IsEmpty)
            return packed;
        try
        {
            using var source = new MemoryStream(packed.ToArray(), writable: false);
            await using var gzip = new GZipStream(source, CompressionMode.Decompress);
            return await ReadAsync(gzip, ct);
        }
        catch (InvalidDataException)
        {
            throw new MalformedOtlpException("The body says that it is packed with gzip, and is not.");
        }
    }

    private static async Task<ReadOnlyMemory<byte>> ReadAsync(Stream stream, CancellationToken ct)
    {
        var whole = new MemoryStream();
        var buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(64 * 1024);
        try
        {
            for (int read; (read = await stream.ReadAsync(buffer, ct)) > 0;)
            {
                if (whole.Length + read > Largest)
                    throw TooLarge();
                whole.Write(buffer, 0, read);
            }
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
        return whole.GetBuffer().AsMemory(0, (int)whole.Length);
    }

    private static BadHttpRequestException TooLarge() => new("The body is larger than 20 MiB.", StatusCodes.Status413PayloadTooLarge);

    private static bool IsType(HttpRequest request, string type) => MediaTypeHeaderValue.TryParse(request.ContentType, out var sent) && sent.MediaType.Equals(type, StringComparison.OrdinalIgnoreCase);
}
