namespace LlmOps.Web.Components.Shared;

/// <summary>The window of rows a table wants.</summary>
/// <param name="Sort">The column's <c>SortKey</c>, null for the list's own order.</param>
public sealed record TableRequest(int Skip, int Take, string? Sort, bool Descending);
