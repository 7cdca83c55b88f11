using LlmOps.Lifecycle;
using LlmOps.Web.Components.Shared;

namespace LlmOps.Web.Components.Pages.Home;

/// <summary>The product's own records in the palette.</summary>
public sealed class RecordSearch(SearchEverything search) : ISearchSource
{
    public async Task<IReadOnlyList<SearchHit>> FindAsync(string text, int take, CancellationToken ct) =>
        [.. (await search.FindAsync(text, Math.Min(take, 5), ct)).Select(f => new SearchHit(f.Kind, f.Title, f.Path, f.Detail))];
}
