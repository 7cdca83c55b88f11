using LlmOps.Lifecycle;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace LlmOps.Web.Api.V1;

/// <summary>Writes an upload to a file that disappears when it is closed: memory stays small, and what is refused leaves nothing.</summary>
public static class UploadedFile
{
    /// <summary>Boundaries and headers of a multipart form, beside its file.</summary>
    public const long MultipartOverhead = 1 << 20;

    public static async Task<Stream> ReadAsync(HttpRequest request, long limit, CancellationToken ct)
    {
        if (request.ContentLength > limit + MultipartOverhead)
            throw TooLarge(limit);
        var file = new FileStream(Path.Combine(Path.GetTempPath(), $"llmops-upload-{Guid.NewGuid():N}"), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16,
            FileOptions.DeleteOnClose | FileOptions.Asynchronous);
        try
        {
            var body = await BodyAsync(request, ct);
            var buffer = new byte[1 << 16];
            for (int read; (read = await body.ReadAsync(buffer, ct)) > 0;)
            {
                if (file.Length + read > limit)
                    throw TooLarge(limit);
                await file.WriteAsync(buffer.AsMemory(0, read), ct);
            }
            file.Position = 0;
            return file;
        }
        catch
        {
            await file.DisposeAsync();
            throw;
        }
    }

    /// <summary>The request's text, for small documents.</summary>
    public static async Task<string> TextAsync(HttpRequest request, int limit, CancellationToken ct)
    {
        await using var file = await ReadAsync(request, limit, ct);
        using var reader = new StreamReader(file);
        return await reader.ReadToEndAsync(ct);
    }

    private static async Task<Stream> BodyAsync(HttpRequest request, CancellationToken ct)
    {
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type) || !type.MediaType.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase))
            return request.Body;
        var boundary = HeaderUtilities.RemoveQuotes(type.Boundary).Value ?? throw LlmOpsException.Invalid("The multipart form names no boundary in its Content-Type.");
        var reader = new MultipartReader(boundary, request.Body);
        try
        {
            while (await reader.ReadNextSectionAsync(ct) is { } section)
                if (section.GetContentDispositionHeader()?.IsFileDisposition() == true)
                    return section.Body;
        }
        catch (IOException e) when (!Lifecycle.Artifacts.ArtifactStore.IsDiskFull(e))
        {
            throw new LlmOpsException(ErrorCode.BadRequest, "The multipart form ends before its closing boundary.", e);
        }
        throw LlmOpsException.Invalid("The multipart form holds no file. Send the rows as a file part, or as the raw body.");
    }

    private static LlmOpsException TooLarge(long limit) =>
        new(ErrorCode.RequestLimitExceeded, $"The upload is larger than {(limit >= 1 << 20 ? $"{limit >> 20} MiB" : $"{limit >> 10} KiB")}, the most this address takes. Nothing was stored.");
}
