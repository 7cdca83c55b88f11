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
        var way = lineage.Parents.Reverse().Select(p => new DiagramStage(Address(p.Model, p.Number), $"{p.Model}/{p.Number}", p.Stage))
            .Append(new(Address(version.Model, version.Number), version.Key.ToString(), version.Stage) { Detail = $"{version.Stage} · this version" }).ToList();
        var data = lineage.Datasets.DistinctBy(d => d.Key).Select(d => new DiagramStage($"/datasets/{d.Key}", d.Key, "dataset") { Detail = d.Exists ? $"{Display.Count(d.TrainRows)} rows" : "gone" }).ToList();
        var children = lineage.Children.Take(8).Select(c => new DiagramStage(Address(c.Model, c.Number), $"{c.Model}/{c.Number}", c.Stage)).ToList();
        // a version lists its parents' datasets before its own, so the first belongs to the first version of the way
        return new([.. data, .. way, .. children],
        [
            .. way.Zip(way.Skip(1), (from, to) => new DiagramEdge(from.Id, to.Id)),
            .. data.Select((d, i) => new DiagramEdge(d.Id, way[Math.Min(i, way.Count - 1)].Id)),
            .. children.Select(c => new DiagramEdge(way[^1].Id, c.Id)),
        ]);
    }

    private static string Address(string model, int number) => $"/models/{model}/{number}";

    private void OpenAsync(string? address)
    {
        if (address is not null) Navigation.NavigateTo(address);
    }
}
