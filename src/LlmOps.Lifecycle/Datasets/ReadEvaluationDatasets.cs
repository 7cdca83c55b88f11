using System.Globalization;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Tracking.Search;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Datasets;

public sealed record EvaluationDatasetDetail(EvaluationDataset Dataset, int Records);

/// <summary>Evaluation datasets by id and by search, and their rows.</summary>
public sealed class ReadEvaluationDatasets(IDbContextFactory<LlmOpsDb> dbs)
{
    public const int Usual = 1000, Most = 1000;

    private static readonly TableShape Shape = new("evaluation_datasets r", new Dictionary<string, TableColumn>
    {
        ["name"] = new("r.\"Name\"", SortKind.Text),
        ["dataset_id"] = new("r.\"Id\"", SortKind.Id),
        ["created_by"] = new("r.\"CreatedBy\"", SortKind.Text),
        ["last_updated_by"] = new("r.\"UpdatedBy\"", SortKind.Text),
        ["created_time"] = new("r.\"CreatedAt\"", SortKind.Whole),
        ["last_update_time"] = new("r.\"UpdatedAt\"", SortKind.Whole),
    }, ("evaluation_dataset_tags", "DatasetId"), ["name", "created_time", "last_update_time"], [new("r.\"CreatedAt\"", true, SortKind.Whole), new("r.\"Id\"", true, SortKind.Id)], ["attribute", "attributes", "attr"]);

    public static Guid Id(string? text) => Parse(text, EvaluationDataset.IdStart) ?? throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"Evaluation dataset with id '{TrackingKeys.Shown(TrackingKeys.Required(text, "dataset_id"))}' not found");

    public static Guid? RecordId(string? text) => Parse(text, EvaluationRecord.IdStart);

    public async Task<EvaluationDatasetDetail> GetAsync(Guid id, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return (await LoadAsync(db, [id], ct)).SingleOrDefault() ?? throw NotFound(id);
    }

    /// <param name="experiments">Those of one of these; of all, where there is none.</param>
    public async Task<Page<EvaluationDatasetDetail>> SearchAsync(IReadOnlyList<Guid>? experiments, string? filter, IReadOnlyList<string>? orderBy, int? maxResults, string? pageToken, CancellationToken ct = default)
    {
        var most = TableSearch.EnsureSize(maxResults, Usual, Most);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var page = await TableSearch.FindAsync(db, Shape, filter, orderBy, most, pageToken, sql =>
            experiments is null ? [] : [$"EXISTS (SELECT 1 FROM evaluation_dataset_experiments e WHERE e.\"DatasetId\" = r.\"Id\" AND {sql.OneOf("e.\"ExperimentId\"", experiments)})"], ct);
        return new(await LoadAsync(db, page.Items, ct), page.NextPageToken);
    }

    /// <summary>In the order in which they came.</summary>
    public async Task<Page<EvaluationRecord>> RecordsAsync(Guid id, int? maxResults, string? pageToken, CancellationToken ct = default)
    {
        var most = TableSearch.EnsureSize(maxResults, Usual, Most);
        var begin = Place(PageToken.Read<List<string>>(pageToken));
        await using var db = await dbs.CreateDbContextAsync(ct);
        if (!await db.EvaluationDatasets.AnyAsync(d => d.Id == id, ct))
            throw NotFound(id);
        var rows = db.EvaluationRecords.AsNoTracking().Where(r => r.DatasetId == id);
        if (begin is var (at, last))
            rows = rows.Where(r => r.CreatedAt > at || (r.CreatedAt == at && r.Id.CompareTo(last) > 0));
        var page = await rows.OrderBy(r => r.CreatedAt).ThenBy(r => r.Id).Take(most + 1).ToListAsync(ct);
        return new([.. page.Take(most)], page.Count > most ? PageToken.Write<List<string>>([page[most - 1].CreatedAt.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture), page[most - 1].Id.ToString("N")]) : null);
    }

    /// <summary>For the pages: newest first.</summary>
    public async Task<Window<EvaluationDatasetDetail>> ListAsync(string? needle, int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var text = needle?.Trim().ToLowerInvariant() ?? "";
        var found = await db.EvaluationDatasets.AsNoTracking().Where(d => text == "" || d.Name.ToLower().Contains(text)).OrderByDescending(d => d.UpdatedAt).ThenBy(d => d.Id).Select(d => d.Id).WindowAsync(skip, take, ct);
        return new(await LoadAsync(db, found.Rows, ct), found.Total);
    }

    public async Task<Window<EvaluationRecord>> WindowAsync(Guid id, int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.EvaluationRecords.AsNoTracking().Where(r => r.DatasetId == id).OrderBy(r => r.CreatedAt).ThenBy(r => r.Id).WindowAsync(skip, take, ct);
    }

    internal static LlmOpsException NotFound(Guid id) => new(ErrorCode.ResourceDoesNotExist, $"Evaluation dataset with id '{EvaluationDataset.IdStart}{id:N}' not found");

    private static Guid? Parse(string? text, string start) => text is not null && text.StartsWith(start, StringComparison.Ordinal) && Guid.TryParseExact(text[start.Length..], "N", out var id) ? id : null;

    private static (DateTimeOffset At, Guid Last)? Place(List<string>? values) => values switch
    {
        null => null,
        [var ms, var id] when long.TryParse(ms, NumberStyles.None, CultureInfo.InvariantCulture, out var at) && at <= 253_402_300_799_999 && Guid.TryParseExact(id, "N", out var last) => (DateTimeOffset.FromUnixTimeMilliseconds(at), last),
        _ => throw LlmOpsException.Invalid("Invalid page token. Send the next_page_token of the answer before, or none for the first page."),
    };

    private static async Task<IReadOnlyList<EvaluationDatasetDetail>> LoadAsync(LlmOpsDb db, IReadOnlyList<Guid> ids, CancellationToken ct)
    {
        var counts = new Dictionary<Guid, int>();
        var rows = new Dictionary<Guid, EvaluationDataset>();
        foreach (var part in ids.Chunk(500))
        {
            foreach (var row in await db.EvaluationDatasets.AsNoTracking().AsSplitQuery().Include(d => d.Tags).Include(d => d.Experiments).Where(d => part.Contains(d.Id)).ToListAsync(ct))
                rows[row.Id] = row;
            foreach (var count in await db.EvaluationRecords.Where(r => part.Contains(r.DatasetId)).GroupBy(r => r.DatasetId).Select(g => new { g.Key, Count = g.Count() }).ToListAsync(ct))
                counts[count.Key] = count.Count;
        }
        return [.. ids.Where(rows.ContainsKey).Select(id => new EvaluationDatasetDetail(rows[id], counts.GetValueOrDefault(id)))];
    }
}
