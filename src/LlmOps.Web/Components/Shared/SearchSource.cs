namespace LlmOps.Web.Components.Shared;

/// <summary>A line of the palette. <paramref name="Kind"/> groups ("Model", "Run", "Go to").</summary>
public sealed record SearchHit(string Kind, string Title, string Href, string? Detail = null);

/// <summary>Something the palette can find. Register as scoped; each is asked at the same time and shown in the order of registration.</summary>
public interface ISearchSource
{
    Task<IReadOnlyList<SearchHit>> FindAsync(string text, int take, CancellationToken ct);
}
