using LlmOps.Web.Components.Layout;

namespace LlmOps.Web.Components.Shared;

/// <summary>The places of the rail.</summary>
public sealed class PageSearch : ISearchSource
{
    public Task<IReadOnlyList<SearchHit>> FindAsync(string text, int take, CancellationToken ct) =>
        Task.FromResult<IReadOnlyList<SearchHit>>([.. NavigationItem.All
            .Where(i => i.Title.Contains(text, StringComparison.OrdinalIgnoreCase))
            .Take(take)
            .Select(i => new SearchHit("Go to", i.Title, i.Href, $"g {i.Chord}"))]);
}
