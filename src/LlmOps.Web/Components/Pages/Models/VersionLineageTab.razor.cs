using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>Parents, datasets, run and pipeline stage of a version, and the reports of what made it and its variants.</summary>
public sealed partial class VersionLineageTab
{
    private Lineage? lineage;
    private DiagramModel diagram = new([], []);
    private Guid read;

    [Inject] private ReadLineage Lineages { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [Parameter, EditorRequired] public VersionDetail Version { get; set; } = null!;

    protected override async Task OnParametersSetAsync()
    {
        if (read == Version.Id) return;
        read = Version.Id;
        lineage = await Lineages.OfAsync(Version);
        diagram = Draw(Version, lineage);
    }

    /// <summary>Ids are addresses, so that a chosen box can be opened.</summary>
    private static DiagramModel Draw(VersionDetail version, Lineage lineage)
    {
        static string Of(string model, int number) => $"/models/{model}/{number}";
        var self = Of(version.Model, version.Number);
        var stages = lineage.Datasets.Select(d => new DiagramStage($"/datasets/{d.Key}", d.Key, "dataset") { Detail = d.Exists ? $"{Display.Count(d.TrainRows)} rows" : "gone" }).DistinctBy(s => s.Id).ToList();
        var edges = new List<DiagramEdge>();
        var chain = lineage.Parents.Reverse().ToList();
        stages.AddRange(chain.Select(p => new DiagramStage(Of(p.Model, p.Number), $"{p.Model}/{p.Number}", p.Stage)));
        stages.Add(new DiagramStage(self, $"{version.Model}/{version.Number}", version.Stage) { Detail = $"{version.Stage} · this version" });
        for (var i = 0; i < chain.Count; i++)
            edges.Add(new(Of(chain[i].Model, chain[i].Number), i + 1 < chain.Count ? Of(chain[i + 1].Model, chain[i + 1].Number) : self));
        // every dataset of a version is listed with it, those of its parents included: draw each to where it came in first
        edges.AddRange(lineage.Datasets.Select(d => d.Key).Distinct().Select((key, i) => new DiagramEdge($"/datasets/{key}", i < chain.Count ? Of(chain[i].Model, chain[i].Number) : self)));
        foreach (var child in lineage.Children.Take(8))
        {
            stages.Add(new DiagramStage(Of(child.Model, child.Number), $"{child.Model}/{child.Number}", child.Stage));
            edges.Add(new(self, Of(child.Model, child.Number)));
        }
        return new(stages, edges);
    }

    private void OpenAsync(string? address)
    {
        if (address is not null) Navigation.NavigateTo(address);
    }
}
