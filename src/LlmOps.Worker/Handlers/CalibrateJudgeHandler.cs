using System.Globalization;
using System.Text.Json;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Worker.Judging;

namespace LlmOps.Worker.Handlers;

/// <summary>
/// Asks a judge about answers that people have compared. Each verdict is kept in the job's folder as it comes, so that a calibration that was killed does not pay twice.
/// </summary>
public sealed class CalibrateJudgeHandler(DatasetFiles files, ArtifactStore artifacts, Hints hints, WorkerSettings settings) : IJobHandler
{
    private const string File = "verdicts.jsonl";

    public string Kind => "calibrate-judge";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var p = job.Spec<StageSpec>().Parameters<CalibrateJudgeParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var (judge, labels) = await StartCalibration.CheckAsync(db, p, ct);
        var document = judge.Document();
        using var open = await OpenJudge.OpenAsync(db, artifacts, judge, settings, ct);
        var questions = Questions(await files.HeldOutAsync<PreferenceExample>(labels, ct), document, p.MaxRows);
        var rows = await AskAsync(job, open, questions, ct);
        double? atLeast = document.Mode == JudgeDocument.Pairwise ? null : p.AtLeast > 0 ? p.AtLeast : Math.Ceiling((document.Scale + 1) / 2.0);
        var report = CalibrationReport.Of(rows, document, atLeast);
        job.Log(string.Create(CultureInfo.InvariantCulture, $"{report.Rows - report.Missing} of {report.Rows} verdicts, agreement {report.Kappa.Observed:0.000}, kappa {report.Kappa.Value:0.000}."));
        var calibration = new JudgeCalibration { JudgeId = judge.Id, Dataset = p.Preferences, ReportJson = Json.Write(report), CreatedBy = job.Actor.Name, At = job.Time.GetUtcNow() };
        await job.CompleteAsync(async kept =>
        {
            kept.JudgeCalibrations.Add(calibration);
            await Task.CompletedTask;
            return new() { ["calibration"] = calibration.Id.ToString(), ["kappa"] = report.Kappa.Value?.ToString("0.####", CultureInfo.InvariantCulture) ?? "" };
        }, ct);
        await hints.ChangedAsync(Areas.Evaluation, judge.Id);
    }

    private sealed record Question(string Key, bool Human, string Prompt, string Answer, string? Other);

    /// <summary>
    /// Pairwise: which of the two answers stands in the model's place is drawn from the row's key, so that saying "the first" or "the model's" always is no agreement.
    /// Graded: each answer by itself, the chosen one being good and the other one not.
    /// </summary>
    private static List<Question> Questions(IReadOnlyList<PreferenceExample> rows, JudgeDocument judge, int most)
    {
        var keyed = rows.Select(r => (Key: RowKeys.OfPreference(r.Prompt, r.Chosen, r.Rejected), Row: r)).DistinctBy(r => r.Key).OrderBy(r => r.Key, StringComparer.Ordinal).Take(most > 0 ? most : int.MaxValue);
        return [.. keyed.SelectMany(IEnumerable<Question> (r) =>
        {
            if (judge.Mode == JudgeDocument.Score)
                return [new($"{r.Key}+", true, r.Row.Prompt, r.Row.Chosen, null), new($"{r.Key}-", false, r.Row.Prompt, r.Row.Rejected, null)];
            var chosenFirst = int.Parse(r.Key.AsSpan(r.Key.Length - 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture) % 2 == 0;
            return [chosenFirst ? new(r.Key, true, r.Row.Prompt, r.Row.Chosen, r.Row.Rejected) : new(r.Key, false, r.Row.Prompt, r.Row.Rejected, r.Row.Chosen)];
        })];
    }

    private static async Task<IReadOnlyList<CalibrationRow>> AskAsync(JobContext job, IJudge judge, List<Question> questions, CancellationToken ct)
    {
        var path = Path.Combine(job.WorkFolder, File);
        var kept = await KeptAsync(path, ct);
        var (ask, gate, done) = (new AskJudge(judge), new SemaphoreSlim(1), kept.Count);
        await using var writer = new StreamWriter(path, append: true);
        // Whatever was cut off by a kill ends here and spoils no further verdict.
        if (writer.BaseStream.Length > 0)
            await writer.WriteLineAsync();
        // A list: what is kept grows while the others are asked.
        var open = questions.Where(q => !kept.ContainsKey(q.Key)).ToList();
        await Parallel.ForEachAsync(open, new ParallelOptions { MaxDegreeOfParallelism = judge.Document.Concurrency, CancellationToken = ct }, async (q, stop) =>
        {
            var row = await AskAsync(ask, q, stop);
            await gate.WaitAsync(stop);
            try
            {
                kept[q.Key] = row;
                // A failure is not kept: the next attempt asks again.
                if (row.Trace is not null)
                {
                    await writer.WriteLineAsync(JsonSerializer.Serialize(row, Json.Options));
                    await writer.FlushAsync(stop);
                }
                job.Report(++done / (double)questions.Count, $"{done:N0} of {questions.Count:N0} verdicts");
            }
            finally
            {
                gate.Release();
            }
        });
        return [.. questions.Select(q => kept[q.Key])];
    }

    private static async Task<CalibrationRow> AskAsync(AskJudge ask, Question q, CancellationToken ct)
    {
        try
        {
            var seed = int.Parse(q.Key.AsSpan(0, 7), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            return new(q.Key, q.Human, q.Other is { } other ? await ask.PairAsync(q.Prompt, q.Answer, other, null, seed, ct) : await ask.OneAsync(q.Prompt, q.Answer, null, seed, ct));
        }
        catch (JudgeFailedException e)
        {
            return new(q.Key, q.Human, null, e.Message);
        }
    }

    private static async Task<Dictionary<string, CalibrationRow>> KeptAsync(string path, CancellationToken ct)
    {
        var kept = new Dictionary<string, CalibrationRow>(StringComparer.Ordinal);
        if (!System.IO.File.Exists(path))
            return kept;
        foreach (var line in await System.IO.File.ReadAllLinesAsync(path, ct))
            try
            {
                var row = Json.Read<CalibrationRow>(line);
                kept[row.Key] = row;
            }
            catch (JsonException)
            {
                // the line that was being written when the process was killed
            }
        return kept;
    }
}
