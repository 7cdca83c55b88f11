using System.Globalization;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Suites;

namespace LlmOps.Worker.Evaluation.Suites;

/// <summary>Measures the rows of one task that are not stored yet, batch by batch.</summary>
public sealed class RunTask(Guid run, SuiteTask task, TaskMeasure measure)
{
    private readonly IReadOnlyList<EvaluationTask> metrics = task.Measures;

    /// <param name="stored">Keys of the rows that are there already.</param>
    /// <param name="progress">How many rows are done, of all.</param>
    public async Task MeasureAsync(IReadOnlyList<SuiteRow> rows, IReadOnlySet<string> stored, RowWriter writer, Action<int, int> progress, CancellationToken ct)
    {
        var prepared = await Task.Run(() => rows.AsParallel().AsOrdered().WithCancellation(ct).Select(Prepare).ToList(), ct);
        var broken = prepared.Where(p => p.Error is not null && !stored.Contains(p.Row.Key)).ToList();
        await writer.AddAsync(broken.SelectMany(p => Missing(p.Row, null, p.Error!)), broken.Count, ct);
        var done = rows.Count(r => stored.Contains(r.Key)) + broken.Count;
        foreach (var batch in Batches([.. prepared.Select(p => p.Ready).OfType<PreparedRow>()]))
        {
            // A batch was stored as a whole; only after a retry of missing rows is it a part.
            var open = batch.Where(r => !stored.Contains(r.Row.Key)).ToList();
            if (open.Count == 0)
                continue;
            ct.ThrowIfCancellationRequested();
            progress(done, rows.Count);
            var scores = await Task.Run(() => Measure(open, ct), ct);
            done += open.Count;
            await writer.AddAsync(scores, open.Count, ct);
        }
    }

    private (SuiteRow Row, PreparedRow? Ready, string? Error) Prepare(SuiteRow row)
    {
        try
        {
            return (row, measure.Prepare(row), null);
        }
        catch (Exception e) when (TaskMeasure.IsOfRow(e))
        {
            return (row, null, e.Message);
        }
    }

    /// <summary>Longest first, as the scorer would take them, so that neighbours need little padding; ties by key, so that the order is the same every time.</summary>
    private IEnumerable<List<PreparedRow>> Batches(List<PreparedRow> rows)
    {
        var batch = new List<PreparedRow>();
        var tokens = 0;
        foreach (var row in rows.OrderByDescending(r => r.Cost).ThenBy(r => r.Row.Key, StringComparer.Ordinal))
        {
            if (batch.Count > 0 && (batch.Count == measure.MostRows || tokens + row.Cost > measure.MostTokens))
            {
                yield return batch;
                (batch, tokens) = ([], 0);
            }
            batch.Add(row);
            tokens += row.Cost;
        }
        if (batch.Count > 0)
            yield return batch;
    }

    private List<RowScore> Measure(IReadOnlyList<PreparedRow> rows, CancellationToken ct)
    {
        try
        {
            return [.. rows.Zip(measure.Measure(rows, ct)).SelectMany(p => Scores(p.First, p.Second))];
        }
        catch (Exception e) when (TaskMeasure.IsOfRow(e) && rows.Count > 1)
        {
            // One row spoils its batch: each on its own, so that only that one is missing.
            return [.. rows.SelectMany(r => Measure([r], ct))];
        }
        catch (Exception e) when (TaskMeasure.IsOfRow(e))
        {
            return [.. Missing(rows[0].Row, rows[0], e.Message)];
        }
    }

    private IEnumerable<RowScore> Scores(PreparedRow row, RowResult result)
    {
        if (result.Error is { } error)
            return Missing(row.Row, row, error);
        if (result.Values.FirstOrDefault(v => !double.IsFinite(v.Value) || !double.IsFinite(v.Weight)) is { } broken)
            return Missing(row.Row, row, string.Create(CultureInfo.InvariantCulture, $"{broken.Metric} is {broken.Value}, which is no result. The model's weights are damaged, or it overflows."));
        // The texts are stored once, with the first metric.
        return metrics.Zip(result.Values).Select((m, i) => new RowScore
        {
            EvaluationRunId = run, Task = m.First.RowName, RowKey = row.Row.Key, Value = m.Second.Value, Weight = m.Second.Weight, Slice = row.Row.Slice, Cluster = row.Row.Cluster,
            State = m.Second.NotApplicable is null ? RowState.Scored : RowState.NotApplicable, Error = m.Second.NotApplicable,
            DetailJson = m.Second.Statistics is { } statistics ? Json.Write(statistics) : i == 0 && result.Detail is { } detail ? detail.ToJsonString(Json.Options) : null,
            Prompt = i == 0 ? Storable(row.StoredPrompt ?? row.Prompt) : null, Expected = i == 0 && row.Expected is [var expected, ..] ? Storable(expected) : null, Answer = i == 0 ? Storable(result.Answer) : null, DurationMs = i == 0 ? result.DurationMs : null,
        });
    }

    /// <summary>PostgreSQL keeps no text with a zero byte, and a model may write one; the sign for it is kept instead.</summary>
    private static string? Storable(string? text) => text?.Replace('\0', '\u2400');

    private IEnumerable<RowScore> Missing(SuiteRow row, PreparedRow? prepared, string error) => metrics.Select((m, i) => new RowScore
    {
        EvaluationRunId = run, Task = m.RowName, RowKey = row.Key, State = RowState.Missing, Error = Storable(error.Length > 1000 ? error[..1000] : error), Slice = row.Slice, Cluster = row.Cluster,
        Prompt = i == 0 ? Storable(prepared?.StoredPrompt ?? prepared?.Prompt) : null, Expected = i == 0 && prepared?.Expected is [var expected, ..] ? Storable(expected) : null,
    });
}
