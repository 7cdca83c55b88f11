using System.Text.Json;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Datasets;

/// <summary>A row as the file holds it: its values by column, other than text written as JSON.</summary>
public sealed record ShownRow(int Index, IReadOnlyDictionary<string, string> Values)
{
    public string this[string column] => Values.GetValueOrDefault(column) ?? "";

    public static ShownRow Parse(int index, string line)
    {
        using var document = JsonDocument.Parse(line);
        return new(index, document.RootElement.EnumerateObject().DistinctBy(p => p.Name)
            .ToDictionary(p => p.Name, p => p.Value.ValueKind == JsonValueKind.String ? p.Value.GetString()! : p.Value.GetRawText()));
    }
}

/// <summary>The rows of one split, a window at a time, and one of them in full.</summary>
public sealed partial class DatasetRowsTab
{
    private ShownRow? opened;

    [Inject] private ReadRows Rows { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [Parameter, EditorRequired] public DatasetVersionDetail Version { get; set; } = null!;
    [SupplyParameterFromQuery] private string? Split { get; set; }
    [SupplyParameterFromQuery] private int? Row { get; set; }

    private IReadOnlyList<string> Splits => Version.QuarantinedRows > 0 ? ["train", "held-out", "quarantine"] : ["train", "held-out"];

    private string Shown => Split is not null && Splits.Contains(Split) ? Split : "train";

    private IReadOnlyList<string> Columns => Shown == "quarantine" ? ["line", "reason", "text"] : Version.Kind switch
    {
        DatasetKind.Preference => ["headword", "prompt", "chosen", "rejected", "rejected_kind"],
        _ => ["headword", .. DatasetRows.Columns(Version.Kind)],
    };

    private string WhyEmpty => Shown == "held-out" ? "No headword of this dataset falls on the held-out side; that happens when there are few of them." : "The split holds nothing.";

    protected override async Task OnParametersSetAsync() =>
        opened = Row is not { } at ? null : (await Rows.PageAsync(Version.Id, Shown, at, 1)).Rows is [var line, ..] ? ShownRow.Parse(at, line) : null;

    private async Task<Window<ShownRow>> ReadAsync(TableRequest r, CancellationToken ct)
    {
        var page = await Rows.PageAsync(Version.Id, Shown, r.Skip, r.Take, ct);
        return new([.. page.Rows.Select((line, i) => ShownRow.Parse(r.Skip + i, line))], page.Total);
    }

    /// <summary>Another split forgets the open row: it is not the same row there.</summary>
    private string Address(string name, string? value) => name == "split"
        ? Navigation.GetUriWithQueryParameters(new Dictionary<string, object?> { ["split"] = value, ["row"] = null })
        : Navigation.GetUriWithQueryParameter(name, value);

    private static string Title(string split) => split switch { "train" => "Train", "held-out" => "Held-out", _ => "Quarantine" };
}
