using LlmOps.Engines.Text;
using LlmOps.Engines.Text.Formats;

namespace LlmOps.Lifecycle.Datasets;

/// <summary>The rows of an imported file as JSON lines, whichever of the two formats it has. Disposing it leaves the file open.</summary>
internal sealed class RowStream : IAsyncDisposable
{
    private readonly Stream? temporary;

    private RowStream(Stream rows, Stream? temporary) => (Rows, this.temporary) = (rows, temporary);

    /// <summary>JSON lines.</summary>
    public Stream Rows { get; }

    /// <exception cref="LlmOpsException">It is a Parquet file that cannot be read.</exception>
    public static async Task<RowStream> OpenAsync(Stream file, CancellationToken ct)
    {
        var spooled = file.CanSeek ? null : Temporary();
        try
        {
            if (spooled is not null)
            {
                await file.CopyToAsync(spooled, ct);
                spooled.Position = 0;
            }
            var rows = spooled ?? file;
            var (start, beginning) = (rows.Position, new byte[4]);
            var read = await rows.ReadAtLeastAsync(beginning, beginning.Length, throwOnEndOfStream: false, ct);
            rows.Position = start;
            if (!ParquetRows.IsParquet(beginning.AsSpan(0, read)))
                return new(rows, spooled);
            var lines = Temporary();
            try
            {
                await ParquetRows.WriteJsonlAsync(rows, lines, ct);
            }
            catch (InvalidDatasetException e)
            {
                await lines.DisposeAsync();
                throw LlmOpsException.Invalid($"Nothing was stored: {e.Reason} Write the file again, or bring the rows as JSONL.");
            }
            if (spooled is not null)
                await spooled.DisposeAsync();
            lines.Position = 0;
            return new(lines, lines);
        }
        catch
        {
            if (spooled is not null)
                await spooled.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => temporary?.DisposeAsync() ?? ValueTask.CompletedTask;

    private static FileStream Temporary() =>
        new(Path.Combine(Path.GetTempPath(), "llmops-rows-" + Guid.NewGuid().ToString("N")), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose | FileOptions.Asynchronous);
}
