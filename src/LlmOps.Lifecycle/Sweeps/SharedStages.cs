using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Pipelines;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Sweeps;

/// <summary>What comes before the searched stage is the same for every trial, so it is carried out once and taken over: trials then differ by their parameters and by nothing else.</summary>
internal static class SharedStages
{
    internal sealed record Result(string OutputsJson, string Source);

    /// <summary>Results there are, by stage; null when another trial is about to make those that are missing.</summary>
    public static async Task<IReadOnlyDictionary<string, Result>?> FindAsync(LlmOpsDb db, Sweep sweep, IReadOnlyList<string> shared, CancellationToken ct)
    {
        if (shared.Count == 0)
            return new Dictionary<string, Result>();
        var runs = sweep.Trials.Where(t => t.PipelineRunId is not null).Select(t => t.PipelineRunId!.Value).ToList();
        var rows = await db.StageRuns.AsNoTracking().Where(s => runs.Contains(s.PipelineRunId) && shared.Contains(s.Name) && s.State == StageState.Succeeded && s.OutputsJson != null)
            .Select(s => new { s.Name, s.OutputsJson, s.JobId, Pipeline = s.PipelineRun!.Name, s.PipelineRun.Number }).ToListAsync(ct);
        var found = rows.GroupBy(r => r.Name).ToDictionary(g => g.Key, g => g.OrderBy(r => r.JobId is null).ThenBy(r => r.Number).First() is var first
            ? new Result(first.OutputsJson!, $"{first.Pipeline} #{first.Number}") : null!);
        return found.Count < shared.Count && sweep.Trials.Any(t => t.State == TrialState.Running) ? null : found;
    }

    public static void TakeOver(PipelineRun run, IReadOnlyDictionary<string, Result> results, DateTimeOffset now)
    {
        foreach (var stage in run.Stages)
            if (results.TryGetValue(stage.Name, out var result))
            {
                stage.State = StageState.Succeeded;
                stage.OutputsJson = result.OutputsJson;
                stage.Error = $"Taken over from {result.Source}.";
                stage.StartedAt = stage.EndedAt = now;
            }
    }
}
