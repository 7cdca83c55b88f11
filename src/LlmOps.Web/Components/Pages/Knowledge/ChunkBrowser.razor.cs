using LlmOps.Engines;
using LlmOps.Engines.Retrieval;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;
using SearchHit = LlmOps.Engines.Retrieval.SearchHit;

namespace LlmOps.Web.Components.Pages.Knowledge;

/// <summary>The chunks of one index: read through, or searched exactly as a deployment searches them.</summary>
public sealed partial class ChunkBrowser : IDisposable
{
    private const int Best = 10;
    private OpenIndex? index;
    private IReadOnlyList<SearchHit> hits = [];
    private IReadOnlyList<string> documents = [];
    private List<Chunk> listed = [];
    private (string?, string?) seen;
    private string? failure;
    private bool gone;

    [Inject] private ArtifactStore Artifacts { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [Parameter, EditorRequired] public BuildRow Build { get; set; } = null!;

    private string? Asked => QueryText.Read(Navigation.Uri, "q");
    private string? Document => QueryText.Read(Navigation.Uri, "document");

    protected override async Task OnInitializedAsync()
    {
        try
        {
            var folder = await Artifacts.FolderAsync(Build.ArtifactDigest);
            var opened = await Task.Run(() => HybridIndex.Open(folder));
            if (gone) opened.Dispose();
            else index = opened;
        }
        catch (Exception e) when (e is LlmOpsException or InvalidModelException)
        {
            failure = e.Message; // one index that cannot be read must not take the other indexes' page away
            return;
        }
        documents = [.. index?.Chunks.Select(c => c.Document).Distinct() ?? []];
        Find();
    }

    protected override void OnParametersSet()
    {
        if (index is not null && seen != (Asked, Document)) Find();
    }

    public void Dispose()
    {
        gone = true;
        index?.Dispose();
        index = null;
    }

    private void Find()
    {
        if (index is null) return;
        seen = (Asked, Document);
        listed = [.. index.Chunks.Where(c => Document is null || c.Document == Document)];
        hits = Asked is not { } question ? [] : [.. index.Search(question, Document is null ? Best : index.Chunks.Count).Where(h => Document is null || h.Chunk.Document == Document).Take(Best)];
    }
}
