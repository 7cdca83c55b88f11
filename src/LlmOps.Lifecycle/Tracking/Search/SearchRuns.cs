using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking.Search;

public enum ViewType { ActiveOnly, DeletedOnly, All }

public sealed record RunQuery(IReadOnlyList<Guid> Experiments, string? Filter = null, ViewType View = ViewType.ActiveOnly, int MaxResults = 1000, IReadOnlyList<string>? OrderBy = null, string? PageToken = null);

public sealed record Page<T>(IReadOnlyList<T> Items, string? NextPageToken);

/// <summary>
/// Finds runs. The newest come straight from an index, the best by a metric from another one; a condition that few runs meet is looked up first. The runs with a
/// value that many have come from its index with the newest first. Everything else is compared run by run, in the order in which the page is wanted, until the page is full.
/// </summary>
public sealed class SearchRuns(IDbContextFactory<LlmOpsDb> dbs, WriteGroups groups)
{
    public const int Most = 50_000;

    /// <param name="Rest">The runs that have no number for the metric that the page is ordered by; they come behind all others.</param>
    private sealed record Place(bool Rest, List<string> Values);

    public async Task<Page<LoggedRun>> SearchAsync(RunQuery query, CancellationToken ct = default)
    {
        if (query.MaxResults is < 1 or > Most)
            throw LlmOpsException.Invalid($"Invalid value {query.MaxResults} for parameter 'max_results' supplied: it is at least 1 and at most {Most}.");
        var filter = FilterParser.Parse(query.Filter);
        var order = OrderItem.Parse(query.OrderBy);
        var place = PageToken.Read<Place>(query.PageToken);
        if (place is { Values: null })
            throw LlmOpsException.Invalid("Invalid page token. Send the next_page_token of the answer before, or none for the first page.");
        if (query.Experiments.Count == 0)
            return new([], null);
        await groups.SettleAsync(ct);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var postgres = !db.Database.IsSqlite();
        await using var transaction = postgres ? await db.Database.BeginTransactionAsync(ct) : null;
        var driver = filter is null ? null : await RunDrivers.ChooseAsync(db, postgres, query, order, filter, ct);
        var ids = new List<Guid>();
        Place? next = null;
        var byMetric = RunStatement.IsByMetric(query, order) && driver is null;
        foreach (var rest in byMetric ? new[] { false, true } : [true])
        {
            if ((place is { Rest: true } && !rest) || (byMetric && rest && RunDrivers.NeedsNumber(filter, order[0].Key)))
                continue;
            var statement = new RunStatement(postgres, query, filter, order, driver, byMetric ? rest : null);
            var begin = place?.Rest == rest ? place.Values : null;
            var wanted = query.MaxResults - ids.Count;
            var rows = await statement.ReadAsync(db, begin, wanted + 1, ct);
            ids.AddRange(rows.Take(wanted).Select(r => r.Id));
            if (rows.Count > wanted)
                next = new(rest, wanted > 0 ? rows[wanted - 1].Values : []);
            if (next is not null)
                break;
        }
        return new(await LoggedRuns.LoadAsync(db, ids, ct), next is null ? null : PageToken.Write(next));
    }
}
