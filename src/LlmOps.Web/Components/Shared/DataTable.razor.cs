using System.Globalization;
using LlmOps.Lifecycle.Data;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web.Virtualization;

namespace LlmOps.Web.Components.Shared;

/// <summary>The dense table of every list: rows of 40 px, sorted through the address, virtualised, walked with j and k, opened with Enter, exported as CSV.</summary>
public sealed partial class DataTable<TItem>
{
    private const int PlainLimit = 200;
    private const int RowHeight = 40;
    private readonly List<DataColumn<TItem>> columns = [];
    private Virtualize<TItem>? window;
    private IReadOnlyList<TItem>? sortedItems;
    private object? seenItems, seenFilter, seenSort;
    private string? sort;
    private bool descending, exporting;
    private int total;

    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [Inject] private Browser Browser { get; set; } = null!;

    /// <summary><see cref="DataColumn{TItem}"/> elements.</summary>
    [Parameter, EditorRequired] public RenderFragment Columns { get; set; } = null!;
    /// <summary>All rows, when they are few. Else <see cref="Read"/>.</summary>
    [Parameter] public IReadOnlyList<TItem>? Items { get; set; }
    /// <summary>Reads a window of rows from the database.</summary>
    [Parameter] public Func<TableRequest, CancellationToken, Task<Window<TItem>>>? Read { get; set; }
    /// <summary>Anything the page filters by; when it changes, <see cref="Read"/> is asked again.</summary>
    [Parameter] public object? Filter { get; set; }
    /// <summary>What tells rows apart.</summary>
    [Parameter, EditorRequired] public Func<TItem, string> Key { get; set; } = null!;
    /// <summary>Where a row leads; the first column is the link.</summary>
    [Parameter] public Func<TItem, string?>? RowHref { get; set; }
    /// <summary>What the table holds, for screen readers.</summary>
    [Parameter, EditorRequired] public string Label { get; set; } = "";
    /// <summary>An <see cref="EmptyState"/>.</summary>
    [Parameter] public RenderFragment? Empty { get; set; }
    /// <summary>More buttons beside Columns and CSV.</summary>
    [Parameter] public RenderFragment? Tools { get; set; }
    [Parameter] public bool Selectable { get; set; }
    [Parameter] public IReadOnlyCollection<string> Selected { get; set; } = [];
    [Parameter] public EventCallback<IReadOnlyCollection<string>> SelectedChanged { get; set; }
    /// <summary>Shown while rows are selected; mark the comparing one with <c>data-compare</c>.</summary>
    [Parameter] public RenderFragment? BulkActions { get; set; }
    /// <summary>Called with the number of rows when it becomes known.</summary>
    [Parameter] public EventCallback<int> TotalChanged { get; set; }
    /// <summary>Height above which the table scrolls by itself; null grows with the page (only for few rows).</summary>
    [Parameter] public string? MaxHeight { get; set; } = "calc(100vh - 240px)";
    /// <summary>The query parameter that holds the order; give each table of a page its own.</summary>
    [Parameter] public string SortQuery { get; set; } = "sort";
    [Parameter] public string FileName { get; set; } = "table.csv";

    private IEnumerable<DataColumn<TItem>> Shown => columns.Where(c => c.IsShown);
    private int Span => Shown.Count() + (Selectable ? 1 : 0);
    private IReadOnlyList<TItem>? Plain => sortedItems is { Count: <= PlainLimit } ? sortedItems : null;

    internal void Add(DataColumn<TItem> column) => columns.Add(column);

    internal void Remove(DataColumn<TItem> column) => columns.Remove(column);

    /// <summary>Reads the rows in view again; scroll and focus stay.</summary>
    public async Task RefreshAsync()
    {
        SortItems();
        if (window is not null) await window.RefreshDataAsync();
        StateHasChanged();
    }

    protected override async Task OnParametersSetAsync()
    {
        var wanted = QueryText.Read(Navigation.Uri, SortQuery);
        (sort, descending) = wanted is null ? (null, false) : (wanted.TrimStart('-'), wanted[0] == '-');
        var changed = !ReferenceEquals(seenItems, Items) || !Equals(seenFilter, Filter) || !Equals(seenSort, wanted);
        (seenItems, seenFilter, seenSort) = (Items, Filter, wanted);
        if (changed && columns.Count > 0) await RefreshAsync();
        else if (changed) SortItems();
    }

    /// <summary>Columns are known only after the first rendering, and with them the order.</summary>
    protected override void OnAfterRender(bool firstRender)
    {
        if (!firstRender || Items is null || sort is null) return;
        SortItems();
        StateHasChanged();
    }

    private void SortItems()
    {
        if (Items is null) return;
        var by = columns.FirstOrDefault(c => c.SortKey is not null && c.SortKey == sort)?.Value;
        sortedItems = by is null ? Items : descending ? [.. Items.OrderByDescending(i => by(i))] : [.. Items.OrderBy(i => by(i))];
        _ = ReportAsync(Items.Count);
    }

    private async ValueTask<ItemsProviderResult<TItem>> ProvideAsync(ItemsProviderRequest request)
    {
        var page = await ReadAsync(request.StartIndex, request.Count, request.CancellationToken);
        await ReportAsync(page.Total);
        return new ItemsProviderResult<TItem>(page.Rows, page.Total);
    }

    private async Task<Window<TItem>> ReadAsync(int skip, int take, CancellationToken ct) =>
        sortedItems is not null ? new Window<TItem>([.. sortedItems.Skip(skip).Take(take)], sortedItems.Count)
        : Read is not null ? await Read(new TableRequest(skip, take, sort, descending), ct)
        : new Window<TItem>([], 0);

    private Task ReportAsync(int count)
    {
        if (total == count && count > 0) return Task.CompletedTask;
        total = count;
        return TotalChanged.InvokeAsync(count);
    }

    /// <summary>Up, down, and back to the list's own order.</summary>
    private async Task SortAsync(DataColumn<TItem> column)
    {
        var next = sort != column.SortKey ? column.SortKey : descending ? null : "-" + column.SortKey;
        (sort, descending) = next is null ? (null, false) : (next.TrimStart('-'), next[0] == '-');
        seenSort = next;
        Navigation.NavigateTo(Navigation.GetUriWithQueryParameter(SortQuery, next), replace: true);
        await RefreshAsync();
    }

    private string? AriaSort(DataColumn<TItem> column) => column.SortKey is null ? null : sort != column.SortKey ? "none" : descending ? "descending" : "ascending";

    private Task ToggleAsync(string key, bool on) => SelectAsync(on ? [.. Selected, key] : [.. Selected.Where(k => k != key)]);

    private Task SelectAsync(IReadOnlyCollection<string> keys)
    {
        Selected = keys;
        return SelectedChanged.InvokeAsync(keys);
    }

    private static RenderFragment Content(DataColumn<TItem> column, TItem item) => column.ChildContent?.Invoke(item) ?? (b => b.AddContent(0, Text(column, item)));

    private static string Text(DataColumn<TItem> column, TItem item) => Convert.ToString(column.Value?.Invoke(item), CultureInfo.InvariantCulture) ?? "";

    private async Task ExportAsync()
    {
        exporting = true;
        try
        {
            await using var csv = await CsvText.WriteAsync(columns.Where(c => c.Value is not null).Select(c => (c.Title, (Func<TItem, object?>)c.Value!)).ToList(), ReadAsync);
            await Browser.DownloadAsync(FileName, csv, "text/csv");
        }
        finally
        {
            exporting = false;
        }
    }
}
