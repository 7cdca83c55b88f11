using LlmOps.Engines.Retrieval;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Knowledge;

/// <summary>One chunk with its place in its document and, when it was searched for, its ranks.</summary>
public sealed partial class ChunkView
{
    [Parameter, EditorRequired] public Chunk Chunk { get; set; } = null!;
    [Parameter] public SearchHit? Hit { get; set; }
    /// <summary>The number that an answer cites it by.</summary>
    [Parameter] public int? Number { get; set; }
    [Parameter] public bool Cited { get; set; }
}
