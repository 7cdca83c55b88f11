namespace LlmOps.Lifecycle.Data;

/// <summary>What a list is asked for: which rows hold this text, in which order, which of them.</summary>
/// <param name="Sort">A word of the list's own; null or an unknown one is the list's natural order.</param>
public sealed record ListQuery(string? Text = null, string? Sort = null, bool Descending = false, int Skip = 0, int Take = 100)
{
    /// <summary>Lower-case, because the two databases disagree about the case sensitivity of everything else.</summary>
    public string Needle => Text?.Trim().ToLowerInvariant() ?? "";
}

public static class ListOrders
{
    /// <summary>Orders by one column and then by a second one that is unique, so that windows never overlap.</summary>
    public static IOrderedQueryable<T> By<T, TKey, TTie>(this IQueryable<T> rows, bool descending, System.Linq.Expressions.Expression<Func<T, TKey>> key, System.Linq.Expressions.Expression<Func<T, TTie>> tie) =>
        descending ? rows.OrderByDescending(key).ThenByDescending(tie) : rows.OrderBy(key).ThenBy(tie);
}
