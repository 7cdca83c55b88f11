using LlmOps.Engines;
using LlmOps.Engines.Retrieval;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Web.Components.Shared;
using LlmOps.Web.Serving;
using Microsoft.AspNetCore.Components;
using SearchHit = LlmOps.Engines.Retrieval.SearchHit;

namespace LlmOps.Web.Components.Pages.Knowledge;

/// <summary>The chunks of one index: read through, or searched exactly as a deployment searches them.</summary>
public sealed partial class ChunkBrowser
{
    private const int Best = 10;
    private IReadOnlyList<Chunk>? chunks;
    private IReadOnlyList<SearchHit> hits = [];
    private IReadOnlyList<string> documents = [];
    private List<Chunk> listed = [];
    private (string?, string?)? seen;
    private string? failure;

    [Inject] private ServedModels Served { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [Parameter, EditorRequired] public BuildRow Build { get; set; } = null!;

    private string? Asked => QueryText.Read(Navigation.Uri, "q");
    private string? Document => QueryText.Read(Navigation.Uri, "document");

    protected override async Task OnParametersSetAsync()
    {
        if (seen == (Asked, Document)) return;
        seen = (Asked, Document);
        try
        {
            await FindAsync(Asked, Document);
        }
        catch (Exception e) when (e is LlmOpsException or InvalidModelException)
        {
            failure = e.Message; // one index that cannot be read must not take the other indexes' page away
        }
    }

    private async Task FindAsync(string? question, string? document)
    {
        using var lease = await Served.Indexes.BorrowAsync(Build.ArtifactDigest, default);
        var index = lease.Value;
        hits = question is null ? [] : [.. index.Search(question, document is null ? Best : index.Chunks.Count).Where(h => document is null || h.Chunk.Document == document).Take(Best)];
        documents = [.. index.Chunks.Select(c => c.Document).Distinct()];
        listed = [.. index.Chunks.Where(c => document is null || c.Document == document)];
        chunks = index.Chunks;
    }
}
