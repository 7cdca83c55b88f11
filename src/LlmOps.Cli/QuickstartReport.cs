using System.Globalization;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>What came out, read from the stored rows: the variants side by side, and what alignment and fine-tuning changed.</summary>
internal static class QuickstartReport
{
    private const string Checkpoint = "checkpoint";

    public static async Task PrintAsync(IServiceProvider services, Guid runId, CancellationToken ct)
    {
        await using var db = await services.GetRequiredService<IDbContextFactory<LlmOpsDb>>().CreateDbContextAsync(ct);
        var stageJobs = await db.StageRuns.AsNoTracking().Where(s => s.PipelineRunId == runId && s.JobId != null).ToDictionaryAsync(s => s.Name, s => s.JobId!.Value, ct);
        if (!stageJobs.TryGetValue("evaluate", out var evaluateJob))
            return;
        var runs = await db.EvaluationRuns.AsNoTracking().Include(r => r.Metrics).Where(r => r.JobId == evaluateJob && r.State == JobState.Succeeded).OrderBy(r => r.StartedAt).ToListAsync(ct);
        if (runs.Count == 0)
            return;
        var version = await db.ModelVersions.AsNoTracking().Include(v => v.Model).SingleAsync(v => v.Id == runs[0].VersionId, ct);
        var decisions = stageJobs.TryGetValue("gate", out var gateJob) ? await db.GateDecisions.AsNoTracking().Where(g => g.JobId == gateJob).ToDictionaryAsync(g => g.VariantName, ct) : [];
        PrintVariants(version, runs, decisions);
        await PrintEffectAsync(services, db, stageJobs, "evaluate-foundation", "evaluate-aligned", EvaluationTasks.Preference, "Alignment (DPO)", ct);
        await PrintEffectAsync(services, db, stageJobs, "evaluate-aligned", "evaluate", EvaluationTasks.Definitions, "Fine-tuning (SFT)", ct);
    }

    private static void PrintVariants(ModelVersion version, List<EvaluationRun> runs, Dictionary<string, GateDecision> decisions)
    {
        // What was measured decides the columns: a language model has other numbers than a classifier.
        bool Has(EvaluationTask task) => runs.Any(r => r.Metrics.Any(m => m.Name == task.FullName));
        var quality = EvaluationTasks.All.Where(t => t.OfMachine != true && t != EvaluationTasks.Size && Has(t) && !(t == EvaluationTasks.Corpus && Has(EvaluationTasks.Definitions))).ToList();
        var decodes = Has(EvaluationTasks.Decode);
        var table = new Table().Border(TableBorder.Rounded).Title($"{version.Key()}: value [[95 % interval]]").AddColumns(
            ["Variant", .. quality.Select(t => $"{t.Name}\n{t.Metric.Replace('_', ' ')}"), "Latency ms", .. decodes ? ["Decode\ntokens/s"] : Array.Empty<string>(), "Size MB", "Peak MB", "Verdict"]);
        foreach (var run in runs)
        {
            var metrics = run.Metrics.ToDictionary(m => m.Name);
            string Cell(EvaluationTask task, double scale = 1, string format = "0.000") => metrics.TryGetValue(task.FullName, out var m)
                ? string.Create(CultureInfo.InvariantCulture, $"{(m.Value * scale).ToString(format, CultureInfo.InvariantCulture)}\n[grey][[{(m.Low * scale).ToString(format, CultureInfo.InvariantCulture)}, {(m.High * scale).ToString(format, CultureInfo.InvariantCulture)}]][/]") : "–";
            var size = metrics.TryGetValue(EvaluationTasks.Size.FullName, out var bytes) ? (bytes.Value / 1e6).ToString(bytes.Value < 1e6 ? "0.000" : "0.0", CultureInfo.InvariantCulture) : "–";
            var verdict = decisions.TryGetValue(run.VariantName, out var d) ? (d.Chosen ? $"[green]{d.Verdict}, chosen[/]" : d.Verdict.ToString()) : "–";
            var quick = metrics.TryGetValue(EvaluationTasks.Latency.FullName, out var latency) && latency.Value < 10;
            table.AddRow([run.VariantName, .. quality.Select(t => Cell(t)), Cell(EvaluationTasks.Latency, 1, quick ? "0.000" : "0"), .. decodes ? [Cell(EvaluationTasks.Decode, 1, "0")] : Array.Empty<string>(),
                size, Cell(EvaluationTasks.PeakMemory, 1e-6, "0"), verdict]);
        }
        AnsiConsole.Write(table);
    }

    private static async Task PrintEffectAsync(IServiceProvider services, LlmOpsDb db, Dictionary<string, Guid> jobs, string before, string after, EvaluationTask task, string title, CancellationToken ct)
    {
        async Task<EvaluationRun?> Find(string stage) => jobs.TryGetValue(stage, out var job)
            ? await db.EvaluationRuns.AsNoTracking().Include(r => r.Metrics).SingleOrDefaultAsync(r => r.JobId == job && r.VariantName == Checkpoint && r.State == JobState.Succeeded, ct) : null;
        if (await Find(before) is not { } a || await Find(after) is not { } b)
            return;
        var difference = (await services.GetRequiredService<CompareRuns>().CompareAsync(a.Id, b.Id, ct: ct)).Differences.FirstOrDefault(d => d.Name == task.FullName);
        if (difference is null)
            return;
        string Signed(double value) => (Math.Abs(value) < 0.0005 ? 0 : value).ToString("+0.000;-0.000;0.000", CultureInfo.InvariantCulture);
        string Say(EvaluationRun run)
        {
            var m = run.Metrics.Single(x => x.Name == task.FullName);
            return string.Create(CultureInfo.InvariantCulture, $"{m.Value:0.000} [{m.Low:0.000}, {m.High:0.000}]");
        }
        AnsiConsole.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{title}: held-out {task.FullName} {Say(a)} → {Say(b)}; paired difference {Signed(difference.Value)} [{Signed(difference.Low)}, {Signed(difference.High)}], n = {difference.N}, 95 % intervals."));
    }
}
