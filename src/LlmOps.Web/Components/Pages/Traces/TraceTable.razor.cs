using System.Globalization;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Traces;

/// <summary>Traces of all deployments or of one, filtered through the address.</summary>
public sealed partial class TraceTable
{
    private static readonly TimeSpan Recent = TimeSpan.FromDays(30);
    private IReadOnlyList<string> deployments = [], models = [], services = [];
    private IReadOnlyCollection<string> selected = [];
    private DataTable<TraceRow>? table;
    private TraceCharts? charts;
    private DatasetDialog dialog = null!;

    [Inject] private ReadTraces Traces { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter] public string? Deployment { get; set; }
    [Parameter] public EventCallback<int> TotalChanged { get; set; }

    private static readonly Dictionary<string, object?> AnyTime = new() { ["from"] = null, ["to"] = null };

    private DateTimeOffset? From => At(Query("from"));
    private DateTimeOffset? Until => At(Query("to"));
    private string? Session => Query("session");
    private string? Objection => Actor.Objection(Permission.WriteDatasets);
    private bool IsFiltered => Filter with { Deployment = Deployment } != new TraceFilter(Deployment: Deployment) || (Deployment is null && Query("deployment") is not null);

    private TraceFilter Filter => new(Query("q"), Deployment ?? Query("deployment"), null, Query("outcome"), Query("feedback"))
    {
        Model = Query("model"), Service = Query("service"), Session = Session, From = From ?? Since(Query("time")), To = Until,
        LeastTokens = int.TryParse(Query("tokens"), NumberStyles.None, CultureInfo.InvariantCulture, out var tokens) ? tokens : null,
        LeastCostUsd = double.TryParse(Query("cost"), NumberStyles.Float, CultureInfo.InvariantCulture, out var usd) ? usd : null,
    };

    /// <summary>From the beginning of a minute, so that the same choice is the same filter for a while.</summary>
    private DateTimeOffset? Since(string? time)
    {
        if (time switch { "hour" => TimeSpan.FromHours(1), "day" => TimeSpan.FromDays(1), "week" => TimeSpan.FromDays(7), "month" => Recent, _ => (TimeSpan?)null } is not { } length)
            return null;
        var from = Clock.GetUtcNow() - length;
        return from.AddTicks(-(from.Ticks % TimeSpan.TicksPerMinute));
    }

    public async Task RefreshAsync()
    {
        if (table is not null) await table.RefreshAsync();
        if (charts is not null) await charts.RefreshAsync();
    }

    protected override async Task OnInitializedAsync()
    {
        if (Deployment is null) deployments = await Traces.DeploymentsAsync();
        (models, services) = await Traces.ChoicesAsync(Clock.GetUtcNow() - Recent);
    }

    private static DateTimeOffset? At(string? ms) => long.TryParse(ms, NumberStyles.None, CultureInfo.InvariantCulture, out var at) && at <= 253_402_300_799_999 ? DateTimeOffset.FromUnixTimeMilliseconds(at) : null;

    private static string Moment(DateTimeOffset at) => at.UtcDateTime.ToString("d MMM yyyy HH:mm", CultureInfo.InvariantCulture);

    private string? Query(string name) => QueryText.Read(Navigation.Uri, name);

    private Task<Window<TraceRow>> ReadAsync(TableRequest request, CancellationToken ct) => Traces.ListAsync(Filter, request.Skip, request.Take, ct);
}
