using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests;

/// <summary>Everything the database holds, as one text: to see that nothing changed, or that something is nowhere.</summary>
internal static class DatabaseText
{
    public static async Task<string> ReadAsync(TestProduct product)
    {
        await using var db = product.Open();
        await db.Database.OpenConnectionAsync();
        var lines = new List<string>();
        foreach (var table in db.Model.GetEntityTypes().Select(t => t.GetTableName()!).Distinct().Order(StringComparer.Ordinal))
        {
            await using var command = db.Database.GetDbConnection().CreateCommand();
            // The name is the model's own.
#pragma warning disable CA2100
            command.CommandText = $"SELECT * FROM \"{table}\"";
#pragma warning restore CA2100
            await using var reader = await command.ExecuteReaderAsync();
            var rows = new List<string>();
            while (await reader.ReadAsync())
                rows.Add($"{table}: {string.Join(" | ", Enumerable.Range(0, reader.FieldCount).Select(i => reader.IsDBNull(i) ? "" : reader.GetValue(i).ToString()))}");
            lines.AddRange(rows.Order(StringComparer.Ordinal));
        }
        return string.Join('\n', lines);
    }
}
