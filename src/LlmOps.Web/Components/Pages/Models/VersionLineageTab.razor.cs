using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>Parents, datasets, run and pipeline stage of a version, and the reports of what made it and its variants.</summary>
public sealed partial class VersionLineageTab
{
    private const int ColumnWidth = 240, RowHeight = 80;
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

    /// <summary>
    /// The way of the version along the top, each dataset below and one column before the version it came in with. Ids are
    /// addresses, so that a chosen box can be opened.
    /// </summary>
    private static DiagramModel Draw(VersionDetail version, Lineage lineage)
    {
        var way = lineage.Parents.Reverse().Select(p => (Id: Address(p.Model, p.Number), Title: $"{p.Model}/{p.Number}", p.Stage))
            .Append((Id: Address(version.Model, version.Number), Title: version.Key.ToString(), Stage: $"{version.Stage} · this version")).ToList();
        var stages = way.Select((v, i) => new DiagramStage(v.Id, v.Title, v.Stage) { X = (i + 1) * ColumnWidth, Y = 0 }).ToList();
        var edges = way.Zip(way.Skip(1), (from, to) => new DiagramEdge(from.Id, to.Id)).ToList();
        var filled = new int[way.Count];
        // a version lists its parents' datasets before its own, so the first belongs to the first version of the way
        foreach (var (i, data) in lineage.Datasets.DistinctBy(d => d.Key).Index())
        {
            var column = Math.Min(i, way.Count - 1);
            var row = column == 0 ? filled[column]++ : ++filled[column];
            stages.Add(new($"/datasets/{data.Key}", data.Key, "dataset") { Detail = data.Exists ? $"{Display.Count(data.TrainRows)} rows" : "gone", X = column * ColumnWidth, Y = row * RowHeight });
            edges.Add(new($"/datasets/{data.Key}", way[column].Id));
        }
        foreach (var (i, child) in lineage.Children.Take(8).Index())
        {
            stages.Add(new(Address(child.Model, child.Number), $"{child.Model}/{child.Number}", child.Stage) { X = (way.Count + 1) * ColumnWidth, Y = i * RowHeight });
            edges.Add(new(way[^1].Id, Address(child.Model, child.Number)));
        }
        return new(stages, edges);
    }

    private static string Address(string model, int number) => $"/models/{model}/{number}";

    private void OpenAsync(string? address)
    {
        if (address is not null) Navigation.NavigateTo(address);
    }
}
