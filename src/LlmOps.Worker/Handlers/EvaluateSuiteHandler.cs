using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Contamination;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Webhooks;
using LlmOps.Worker.Evaluation;
using LlmOps.Worker.Evaluation.Suites;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Worker.Handlers;

/// <summary>
/// Runs a suite on each form of a version, as often as asked. Rows are stored as they finish; a job that was killed, cancelled or retried measures the rows that are
/// not there and no other. A row that cannot be measured is missing with its reason, and has no part in any number.
/// </summary>
public sealed class EvaluateSuiteHandler(DatasetFiles files, ArtifactStore artifacts, CheckContamination contamination, Hints hints, WorkerSettings settings) : IJobHandler
{
    private sealed record Plan(SuiteVersion Suite, SuiteDocument Document, ModelVersion Version, IReadOnlyList<(SuiteTask Task, SuiteRows Rows)> Tasks, EvaluateSuiteParameters Parameters);

    public string Kind => "evaluate-suite";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var p = job.Spec<StageSpec>().Parameters<EvaluateSuiteParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var plan = await PlanAsync(db, p, ct);
        using var resources = new TaskResources(settings);
        await resources.OpenAsync(db, artifacts, plan.Document, ct);
        var forms = await ModelForm.FindAsync(db, artifacts, plan.Version, p.Variants, ct);
        var done = new List<Guid>();
        foreach (var form in forms)
            using (var loaded = new LoadedForm(form, resources))
                for (var repeat = 0; repeat < p.Repeats; repeat++)
                {
                    var run = await EnsureRunAsync(job, plan, form, repeat, ct);
                    await MeasureAsync(job, plan, run, form, loaded, done.Count, forms.Count * p.Repeats, ct);
                    done.Add(run.Id);
                }
        var statements = await contamination.OfRunsAsync(done, job.Report, ct);
        await job.CompleteAsync(async kept =>
        {
            foreach (var id in done)
                await FinishAsync(kept, id, plan, statements[id], job.Time.GetUtcNow(), ct);
            return new() { ["version"] = p.Version, ["runs"] = string.Join(',', done) };
        }, ct);
        await hints.ChangedAsync(Areas.Evaluation, Guid.Empty);
    }

    private async Task<Plan> PlanAsync(LlmOpsDb db, EvaluateSuiteParameters p, CancellationToken ct)
    {
        var suite = await db.GetSuiteAsync(p.Suite, ct);
        var document = SuiteDocument.Parse(suite.Yaml);
        if (document.Digest(await SaveSuite.PinsAsync(db, document, ct)) != suite.Digest)
            throw LlmOpsException.Invalid($"{p.Suite} is not what was saved: its text, or the rows of a dataset that it names, are others. Save it as a new version.");
        var version = await db.ModelVersions.GetAsync(VersionKey.Parse(p.Version), ct);
        var tasks = new List<(SuiteTask, SuiteRows)>();
        foreach (var task in document.Tasks)
        {
            var rows = await SuiteRows.LoadAsync(db, files, task, ct);
            tasks.Add(rows.Rows.Count > 0 ? (task, rows) : throw LlmOpsException.Invalid($"The task {task.Name} of {p.Suite} has no rows: the {task.Split} split of {task.Dataset} is empty."));
        }
        return new(suite, document, version, tasks, p);
    }

    private static async Task<EvaluationRun> EnsureRunAsync(JobContext job, Plan plan, ModelForm form, int repeat, CancellationToken ct)
    {
        EvaluationRun? run = null;
        await job.SaveAsync(async db =>
        {
            run = await db.EvaluationRuns.SingleOrDefaultAsync(r => r.JobId == job.JobId && r.VersionId == plan.Version.Id && r.VariantName == form.Name && r.Repeat == repeat, ct);
            if (run is not null)
            {
                // It goes on: after a crash, or because somebody asked for its missing rows.
                run.State = JobState.Running;
                run.EndedAt = null;
                return;
            }
            db.EvaluationRuns.Add(run = new EvaluationRun
            {
                SuiteId = plan.Suite.SuiteId, SuiteVersionId = plan.Suite.Id, VersionId = plan.Version.Id, VariantName = form.Name, Repeat = repeat, State = JobState.Running, JobId = job.JobId,
                StartedAt = job.Time.GetUtcNow(), CreatedBy = job.Actor.Name, TasksJson = Json.Write(plan.Document.Measures),
                DatasetsJson = Json.Write(plan.Tasks.ToDictionary(t => t.Task.Name, t => t.Task.Dataset ?? $"{t.Rows.Rows.Count} rows of the suite itself")),
            });
        }, ct);
        return run!;
    }

    private static async Task MeasureAsync(JobContext job, Plan plan, EvaluationRun run, ModelForm form, LoadedForm loaded, int index, int count, CancellationToken ct)
    {
        ILookup<string, string> stored;
        await using (var db = await job.OpenDbAsync(ct))
            stored = (await db.RowScores.AsNoTracking().Where(r => r.EvaluationRunId == run.Id).Select(r => new { r.Task, r.RowKey }).ToListAsync(ct)).ToLookup(r => r.Task, r => r.RowKey);
        var (total, before) = ((double)plan.Tasks.Sum(t => t.Rows.Rows.Count), 0);
        await using var writer = new RowWriter(job);
        foreach (var (task, rows) in plan.Tasks)
        {
            var keys = stored[task.Measures[0].RowName].ToHashSet();
            if (keys.Count < rows.Rows.Count)
            {
                var name = run.Repeat == 0 ? form.Name : $"{form.Name}, repeat {run.Repeat + 1}";
                await new RunTask(run.Id, task, loaded.Measure(task, rows, run.Repeat)).MeasureAsync(rows.Rows, keys, writer,
                    (done, all) => job.Report((index + (before + done) / total) / count, $"{name}: {task.Name}, {done:N0} of {all:N0} rows"), ct);
            }
            before += rows.Rows.Count;
        }
        await writer.FlushAsync(ct);
        job.Log($"{form.Name}: measured.");
    }

    private static async Task FinishAsync(LlmOpsDb db, Guid id, Plan plan, ContaminationStatement contamination, DateTimeOffset now, CancellationToken ct)
    {
        var run = await db.EvaluationRuns.SingleAsync(r => r.Id == id, ct);
        // Without the texts: there may be very many rows.
        var rows = await db.RowScores.AsNoTracking().Where(r => r.EvaluationRunId == id)
            .Select(r => new RowScore { Task = r.Task, RowKey = r.RowKey, Value = r.Value, Weight = r.Weight, State = r.State, DetailJson = r.DetailJson }).ToListAsync(ct);
        await db.EvaluationMetrics.Where(m => m.EvaluationRunId == id).ExecuteDeleteAsync(ct);
        db.EvaluationMetrics.AddRange(SummariseRows.Summarise(id, rows, plan.Parameters.BootstrapResamples, plan.Document.Measures));
        var detail = run.DetailJson is null ? [] : JsonNode.Parse(run.DetailJson)!.AsObject();
        var missing = plan.Document.Tasks.Select(t => (t.Name, Count: rows.Count(r => r.Task == t.Measures[0].RowName && r.State == RowState.Missing))).Where(t => t.Count > 0).ToList();
        detail["rows"] = plan.Tasks.Sum(t => t.Rows.Rows.Count);
        detail["missing"] = new JsonObject(missing.Select(t => KeyValuePair.Create<string, JsonNode?>(t.Name, t.Count)));
        var facts = RunFacts.Of(plan.Document, rows);
        foreach (var (name, value) in ((string, object)[])[("machines", facts.Machines), ("findings", facts.Findings), ("indexes", facts.Indexes)])
            if (JsonSerializer.SerializeToNode(value, value.GetType(), Json.Options) is JsonObject { Count: > 0 } found)
                detail[name] = found;
            else
                detail.Remove(name);
        await JudgedTasks.WriteAsync(db, detail, plan.Document, rows, ct);
        run.DetailJson = detail.ToJsonString();
        RunStatement.Write(run, contamination);
        run.State = JobState.Succeeded;
        run.EndedAt = now;
        await PackColumns.AddAsync(db, run, now, ct);
        await db.AnnounceEvaluationAsync(run, now, ct);
    }
}
