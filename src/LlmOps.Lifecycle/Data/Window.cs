using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Data;

/// <summary>Some rows of an ordered list, and how many there are in all.</summary>
public sealed record Window<T>(IReadOnlyList<T> Rows, int Total)
{
    /// <summary>However much a caller asks for, one read stays small.</summary>
    public const int Largest = 500;
}

public static class WindowQueries
{
    /// <summary>Give it an ordered query: without an order the windows of one list may overlap.</summary>
    public static async Task<Window<T>> WindowAsync<T>(this IQueryable<T> rows, int skip, int take, CancellationToken ct)
    {
        var total = await rows.CountAsync(ct);
        return total <= skip ? new([], total) : new(await rows.Skip(skip).Take(Math.Clamp(take, 1, Window<T>.Largest)).ToListAsync(ct), total);
    }
}
