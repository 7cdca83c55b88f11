using System.Globalization;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Jobs;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>What each training changed on held-out rows: every evaluation of a pipeline against its stage "evaluate-before".</summary>
internal static class EffectReport
{
    private const string Before = "evaluate-before";

    public static async Task PrintAsync(IServiceProvider services, Guid runId, CancellationToken ct)
    {
        await using var db = await services.GetRequiredService<IDbContextFactory<LlmOpsDb>>().CreateDbContextAsync(ct);
        var stages = await db.StageRuns.AsNoTracking().Where(s => s.PipelineRunId == runId && s.JobId != null).OrderBy(s => s.Ordinal).Select(s => new { s.Name, JobId = s.JobId!.Value }).ToListAsync(ct);
        var jobs = stages.ConvertAll(s => s.JobId);
        var runs = await db.EvaluationRuns.AsNoTracking().Include(r => r.Metrics).Where(r => jobs.Contains(r.JobId) && r.State == JobState.Succeeded).ToListAsync(ct);
        if (stages.Find(s => s.Name == Before) is not { } first || runs.Find(r => r.JobId == first.JobId) is not { } before)
            return;
        var table = new Table().Border(TableBorder.Rounded).Title("Held-out metrics: value [[95 % interval]]").AddColumns("Stage", "Metric", "Before", "After", "Paired difference", "n");
        foreach (var stage in stages.Where(s => s.Name != Before))
        {
            foreach (var after in runs.Where(r => r.JobId == stage.JobId))
            {
                var comparison = await services.GetRequiredService<CompareRuns>().CompareAsync(before.Id, after.Id, ct: ct);
                foreach (var d in comparison.Differences.Where(d => d.Name != EvaluationTasks.Size.FullName))
                    table.AddRow(stage.Name, d.Name, Say(before, d.Name), Say(after, d.Name), Interval(d.Value, d.Low, d.High, "+0.000;-0.000;0.000"), d.N.ToString(CultureInfo.InvariantCulture));
            }
        }
        if (table.Rows.Count > 0)
            AnsiConsole.Write(table);
    }

    private static string Say(EvaluationRun run, string metric) => run.Metrics.FirstOrDefault(m => m.Name == metric) is { } m ? Interval(m.Value, m.Low, m.High, "0.000") : "–";

    private static string Interval(double value, double low, double high, string format)
    {
        string Text(double v) => v.ToString(format, CultureInfo.InvariantCulture);
        return $"{Text(value)} [[{Text(low)}, {Text(high)}]]";
    }
}
