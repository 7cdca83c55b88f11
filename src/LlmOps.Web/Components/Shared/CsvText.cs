using System.Globalization;
using System.Text;
using LlmOps.Lifecycle.Data;

namespace LlmOps.Web.Components.Shared;

/// <summary>Rows as RFC 4180 text, read in windows so that a long list is never held twice.</summary>
public static class CsvText
{
    private const int Chunk = Window<object>.Largest;

    /// <summary>Above this many rows an export belongs to the API, not to a page.</summary>
    public const int RowLimit = 100_000;

    public static async Task<MemoryStream> WriteAsync<TItem>(IReadOnlyList<(string Title, Func<TItem, object?> Value)> columns, Func<int, int, CancellationToken, Task<Window<TItem>>> read)
    {
        var stream = new MemoryStream();
        await using var writer = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\r\n" };
        await writer.WriteLineAsync(string.Join(',', columns.Select(c => Cell(c.Title))));
        for (var skip = 0; skip < RowLimit; skip += Chunk)
        {
            var page = await read(skip, Chunk, CancellationToken.None);
            foreach (var item in page.Rows) await writer.WriteLineAsync(string.Join(',', columns.Select(c => Cell(c.Value(item)))));
            if (page.Rows.Count < Chunk) break;
        }
        await writer.FlushAsync();
        stream.Position = 0;
        return stream;
    }

    /// <summary>Text that a spreadsheet would run as a formula gets an apostrophe; numbers stay numbers.</summary>
    public static string Cell(object? value)
    {
        var text = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
        if (value is string && text.Length > 0 && "=+-@\t\r".Contains(text[0])) text = "'" + text;
        return text.AsSpan().IndexOfAny(",\"\r\n") < 0 ? text : $"\"{text.Replace("\"", "\"\"")}\"";
    }
}
