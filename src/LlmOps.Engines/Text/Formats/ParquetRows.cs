using System.Text.Encodings.Web;
using System.Text.Json;
using Parquet;
using Parquet.Serialization;

namespace LlmOps.Engines.Text.Formats;

/// <summary>Rows of a Parquet file as JSON lines. Lists and structures become lists and objects, so that a conversation arrives as one.</summary>
public static class ParquetRows
{
    private static readonly JsonSerializerOptions Format = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Whether a file begins as Parquet files do.</summary>
    public static bool IsParquet(ReadOnlySpan<byte> beginning) => beginning.StartsWith("PAR1"u8);

    /// <summary>Writes the rows in their order, one object on each line. One row group is in memory at a time.</summary>
    /// <param name="parquet">The file; must be seekable.</param>
    /// <param name="jsonl">Receives UTF-8.</param>
    /// <param name="ct">Looked at between row groups.</param>
    /// <returns>Number of rows.</returns>
    /// <exception cref="InvalidDatasetException">The file is damaged or encrypted, or uses what is not supported.</exception>
    public static async Task<long> WriteJsonlAsync(Stream parquet, Stream jsonl, CancellationToken ct)
    {
        long rows = 0;
        try
        {
            int groups;
            await using (var reader = await ParquetReader.CreateAsync(parquet, leaveStreamOpen: true, cancellationToken: ct))
                groups = reader.RowGroupCount;
            for (var group = 0; group < groups; group++)
            {
                ct.ThrowIfCancellationRequested();
                parquet.Position = 0;
                var read = await ParquetSerializer.DeserializeUntypedAsync(parquet, null, group, ct);
                foreach (var row in read.Data)
                {
                    await JsonSerializer.SerializeAsync(jsonl, row, Format, ct);
                    jsonl.WriteByte((byte)'\n');
                    rows++;
                }
            }
        }
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException or InvalidDatasetException))
        {
            // The library throws what its decoders happen to throw; all of it means that the file cannot be read.
            throw new InvalidDatasetException($"the Parquet file cannot be read after {rows} rows: {e.Message}", checked((int)rows + 1));
        }
        return rows;
    }
}
