using LlmOps.Engines.Text;
using LlmOps.Engines.Text.Formats;

namespace LlmOps.Lifecycle.Datasets;

/// <summary>The rows of an imported file as JSON lines, whichever of the formats it has: JSONL, Parquet or CSV. Disposing it leaves the file open.</summary>
internal sealed class RowStream : IAsyncDisposable
{
    /// <summary>Columns of other tools' rows that a header may have in place of a kind's own.</summary>
    private static readonly string[] CsvColumns = ["messages", "conversations", "instruction", "output"];
    /// <summary>Columns whose CSV fields are JSON. A text such as "12" stays a text.</summary>
    private static readonly string[] JsonColumns = ["label", "pixels", "features", "target", "messages", "conversations", "given"];
    private readonly Stream? temporary;

    private RowStream(Stream rows, Stream? temporary) => (Rows, this.temporary) = (rows, temporary);

    /// <summary>JSON lines.</summary>
    public Stream Rows { get; }

    /// <param name="kind">Its columns are what a CSV file's header is known by.</param>
    /// <exception cref="LlmOpsException">It is a Parquet or CSV file that cannot be read.</exception>
    public static async Task<RowStream> OpenAsync(Stream file, DatasetKind kind, CancellationToken ct)
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
            var (start, beginning) = (rows.Position, new byte[1 << 12]);
            var read = await rows.ReadAtLeastAsync(beginning, beginning.Length, throwOnEndOfStream: false, ct);
            rows.Position = start;
            var isParquet = ParquetRows.IsParquet(beginning.AsSpan(0, read));
            if (!isParquet && !CsvRows.HasHeader(beginning.AsSpan(0, read), [.. DatasetRows.Columns(kind), .. CsvColumns]))
                return new(rows, spooled);
            var lines = Temporary();
            try
            {
                await (isParquet ? ParquetRows.WriteJsonlAsync(rows, lines, ct) : CsvRows.WriteJsonlAsync(rows, lines, JsonColumns, ct));
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

    internal static FileStream Temporary() =>
        new(Path.Combine(Path.GetTempPath(), "llmops-rows-" + Guid.NewGuid().ToString("N")), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose | FileOptions.Asynchronous);
}
