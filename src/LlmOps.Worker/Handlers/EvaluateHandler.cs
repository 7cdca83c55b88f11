using LlmOps.Engines.Benchmarking;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Inference;
using LlmOps.Engines.SmallModels;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Contamination;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Webhooks;
using LlmOps.Worker.Evaluation;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Worker.Handlers;

/// <summary>
/// Measures each form of a version. Rows are stored as each task finishes; a job that was killed goes on with the tasks that are
/// missing and never adds a row twice.
/// </summary>
public sealed class EvaluateHandler(DatasetFiles files, ArtifactStore artifacts, CheckContamination contamination, Hints hints) : IJobHandler
{
    public string Kind => "evaluate";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var p = job.Spec<StageSpec>().Parameters<EvaluateParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var version = await db.ModelVersions.GetAsync(VersionKey.Parse(p.Version), ct);
        var forms = await ModelForm.FindAsync(db, artifacts, version, p.Variants, ct);
        var (rows, samples) = await RowsAsync(db, p, ct);
        var done = new List<Guid>();
        foreach (var form in forms)
        {
            var run = await EnsureRunAsync(job, version, form, p, rows.Count + samples.Count, ct);
            await MeasureAsync(job, run, form, rows, samples, p, done.Count, forms.Count, ct);
            done.Add(run.Id);
        }
        var statements = await contamination.OfRunsAsync(done, job.Report, ct);
        await job.CompleteAsync(async kept =>
        {
            foreach (var id in done)
                await FinishAsync(kept, id, p, statements[id], job.Time.GetUtcNow(), ct);
            return new() { ["version"] = p.Version, ["runs"] = string.Join(',', done) };
        }, ct);
        await hints.ChangedAsync(Areas.Evaluation, Guid.Empty);
    }

    private async Task<(HeldOutRows Rows, IReadOnlyList<KeyedSample> Samples)> RowsAsync(LlmOpsDb db, EvaluateParameters p, CancellationToken ct)
    {
        async Task<List<T>> Load<T>(string key) => key.Length == 0 ? [] : await files.HeldOutAsync<T>(await db.DatasetVersions.GetAsync(key, ct), ct);
        var rows = HeldOutRows.Of(await Load<CorpusText>(p.Corpus), await Load<PromptCompletion>(p.Instructions), await Load<PreferenceExample>(p.Preferences), p.MaxRows);
        IReadOnlyList<KeyedSample> samples = p.Samples.Length == 0 ? [] : await files.MeasuredSamplesAsync(await db.DatasetVersions.GetAsync(p.Samples, ct), p.MaxRows, ct);
        if (rows.IsEmpty && samples.Count == 0 && p.ProbeRepeats == 0)
            throw LlmOpsException.Invalid("There is nothing to measure: name a dataset, or set probe_repeats above 0.");
        return (rows, samples);
    }

    private static async Task<EvaluationRun> EnsureRunAsync(JobContext job, ModelVersion version, ModelForm form, EvaluateParameters p, int rows, CancellationToken ct)
    {
        EvaluationRun? run = null;
        await job.SaveAsync(async db =>
        {
            run = await db.EvaluationRuns.SingleOrDefaultAsync(r => r.JobId == job.JobId && r.VersionId == version.Id && r.VariantName == form.Name, ct);
            if (run is not null)
                return;
            var suite = await db.EvaluationSuites.SingleOrDefaultAsync(s => s.Name == p.Suite, ct);
            if (suite is null)
                db.EvaluationSuites.Add(suite = new EvaluationSuite { Name = p.Suite, DefinitionJson = Json.Write(p), CreatedAt = job.Time.GetUtcNow() });
            db.EvaluationRuns.Add(run = new EvaluationRun
            {
                SuiteId = suite.Id, VersionId = version.Id, VariantName = form.Name, State = JobState.Running, JobId = job.JobId, StartedAt = job.Time.GetUtcNow(), CreatedBy = job.Actor.Name,
                DatasetsJson = Json.Write(new { p.Corpus, p.Instructions, p.Preferences, p.Samples, rows, p.MaxRows }),
            });
        }, ct);
        return run!;
    }

    private async Task MeasureAsync(JobContext job, EvaluationRun run, ModelForm form, HeldOutRows rows, IReadOnlyList<KeyedSample> samples, EvaluateParameters p, int index, int count, CancellationToken ct)
    {
        HashSet<string> stored;
        await using (var db = await job.OpenDbAsync(ct))
            stored = [.. await db.RowScores.Where(r => r.EvaluationRunId == run.Id).Select(r => r.Task).Distinct().ToListAsync(ct)];
        async Task Store(string task, Func<IReadOnlyList<RowScore>> measure)
        {
            if (stored.Contains(task))
                return;
            var scored = await Task.Run(measure, ct);
            await job.SaveAsync(db => { db.RowScores.AddRange(scored); return Task.CompletedTask; }, ct);
        }

        if (form.Small is not (null or LstmConfig))
        {
            job.Report((double)index / count, $"{form.Name}: {samples.Count} samples");
            if (samples.Count > 0 && !stored.Overlaps(SmallModelRows.Tasks))
                await new EvaluationPictures(artifacts).SaveAsync(job, run, await Task.Run(() => SmallModelRows.Measure(form, run.Id, samples, ct), ct), ct);
        }
        else if (form.IsCheckpoint && ScoreHead.IsIn(form.Folder))
        {
            job.Report((double)index / count, $"{form.Name}: {EvaluationTasks.Preference.Name}");
            await Store(EvaluationTasks.Preference.Name, () => RewardRows.Measure(form.Folder, rows, run.Id, ct));
        }
        else
        {
            using var model = form.Load();
            var tokenizer = Tokenizer.Load(form.Folder);
            var tasks = new RowTasks(model, tokenizer, PromptFormat.Load(form.Folder, tokenizer), run.Id);
            var steps = tasks.All(rows).ToList();
            for (var i = 0; i < steps.Count; i++)
            {
                ct.ThrowIfCancellationRequested();
                job.Report((index + (double)i / (steps.Count + 1)) / count, $"{form.Name}: {steps[i].Task}");
                await Store(steps[i].Task, () => steps[i].Measure(ct));
            }
        }
        await Store(EvaluationTasks.Size.Name, () => [new RowScore { EvaluationRunId = run.Id, Task = EvaluationTasks.Size.Name, RowKey = "0", Value = form.SizeBytes }]);
        // The training framework is not what serves, so its speed is not measured.
        if (!form.IsCheckpoint && p.ProbeRepeats > 0 && !stored.Contains(EvaluationTasks.Load.Name))
        {
            job.Report((index + 0.9) / count, $"{form.Name}: speed and memory in {p.ProbeRepeats} fresh processes");
            var probe = await Task.Run(() => Probe.Run(new ProbeRequest(form.Folder, p.ProbeRepeats), ct), ct);
            await job.SaveAsync(async db =>
            {
                db.RowScores.AddRange(ProbeRows(run.Id, probe));
                var kept = await db.EvaluationRuns.SingleAsync(r => r.Id == run.Id, ct);
                kept.DetailJson = RunFacts.WithMachine(kept.DetailJson, RowsOfProbe.Select(t => t.Name), MachineDescription.Here(0));
            }, ct);
        }
        job.Log($"{form.Name}: measured.");
    }

    private static readonly EvaluationTask[] RowsOfProbe = [EvaluationTasks.Load, EvaluationTasks.FirstToken, EvaluationTasks.Latency, EvaluationTasks.Prefill, EvaluationTasks.Decode, EvaluationTasks.PeakMemory];

    /// <summary>All of a probe's samples are saved at once, so the first task's name stands for all of them.</summary>
    private static IEnumerable<RowScore> ProbeRows(Guid run, ProbeReport probe)
    {
        IEnumerable<RowScore> Rows(EvaluationTask task, double[] values) =>
            values.Select((v, i) => new RowScore { EvaluationRunId = run, Task = task.Name, RowKey = i.ToString("D4", System.Globalization.CultureInfo.InvariantCulture), Value = v });
        return [.. Rows(EvaluationTasks.Load, probe.LoadMs), .. Rows(EvaluationTasks.FirstToken, probe.FirstTokenMs), .. Rows(EvaluationTasks.Latency, probe.LatencyMs),
            .. Rows(EvaluationTasks.Prefill, probe.PrefillTokensPerSecond), .. Rows(EvaluationTasks.Decode, probe.DecodeTokensPerSecond), .. Rows(EvaluationTasks.PeakMemory, probe.PeakMemoryBytes)];
    }

    private static async Task FinishAsync(LlmOpsDb db, Guid id, EvaluateParameters p, ContaminationStatement contamination, DateTimeOffset now, CancellationToken ct)
    {
        var run = await db.EvaluationRuns.SingleAsync(r => r.Id == id, ct);
        var rows = await db.RowScores.AsNoTracking().Where(r => r.EvaluationRunId == id).ToListAsync(ct);
        await db.EvaluationMetrics.Where(m => m.EvaluationRunId == id).ExecuteDeleteAsync(ct);
        db.EvaluationMetrics.AddRange(SummariseRows.Summarise(id, rows, p.BootstrapResamples));
        RunStatement.Write(run, contamination);
        run.State = JobState.Succeeded;
        run.EndedAt = now;
        await PackColumns.AddAsync(db, run, now, ct);
        await db.AnnounceEvaluationAsync(run, now, ct);
    }
}
