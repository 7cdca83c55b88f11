namespace LlmOps.Lifecycle.Tracking.Search;

/// <summary>A parsed filter: comparisons under AND and OR. What it means for runs, experiments or models, others say.</summary>
public abstract record Filter
{
    public sealed record All(IReadOnlyList<Filter> Parts) : Filter;

    public sealed record Any(IReadOnlyList<Filter> Parts) : Filter;

    /// <param name="Entity">"metric", "tag" …, as written; null where a key stands alone.</param>
    /// <param name="Position">Where in the text, for messages; from 1.</param>
    public sealed record Comparison(string? Entity, string Key, FilterOperator Operator, FilterValue Value, int Position) : Filter;
}

public enum FilterOperator { Equal, NotEqual, Greater, GreaterOrEqual, Less, LessOrEqual, Like, ILike, In, NotIn, IsNull, IsNotNull }

/// <summary>Exactly one of them is there; none for IS NULL.</summary>
public sealed record FilterValue(string? Text = null, double? Number = null, IReadOnlyList<string>? List = null);

public static class FilterWords
{
    public static string Text(this FilterOperator op) => op switch
    {
        FilterOperator.Equal => "=", FilterOperator.NotEqual => "!=", FilterOperator.Greater => ">", FilterOperator.GreaterOrEqual => ">=", FilterOperator.Less => "<", FilterOperator.LessOrEqual => "<=",
        FilterOperator.Like => "LIKE", FilterOperator.ILike => "ILIKE", FilterOperator.In => "IN", FilterOperator.NotIn => "NOT IN", FilterOperator.IsNull => "IS NULL", _ => "IS NOT NULL",
    };

    public static bool IsOrder(this FilterOperator op) => op is FilterOperator.Equal or FilterOperator.NotEqual or FilterOperator.Greater or FilterOperator.GreaterOrEqual or FilterOperator.Less or FilterOperator.LessOrEqual;
}
