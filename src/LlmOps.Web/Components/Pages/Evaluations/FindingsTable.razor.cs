using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Evaluations;

/// <summary>What detectors found in the answers of a run, by kind.</summary>
public sealed partial class FindingsTable
{
    [Parameter, EditorRequired] public IReadOnlyDictionary<string, IReadOnlyDictionary<string, int>> Findings { get; set; } = new Dictionary<string, IReadOnlyDictionary<string, int>>();
    [Parameter, EditorRequired] public Guid RunId { get; set; }
}
