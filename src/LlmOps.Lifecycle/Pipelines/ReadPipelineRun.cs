using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Pipelines;

public sealed record PipelineRunDetail(Guid Id, string Pipeline, int Number, PipelineState State, string Yaml, string CreatedBy, DateTimeOffset CreatedAt, DateTimeOffset? EndedAt,
    IReadOnlyList<StageDetail> Stages)
{
    public bool IsOver => State is PipelineState.Succeeded or PipelineState.Failed or PipelineState.Cancelled;
}

/// <param name="ParametersJson">As written, references not resolved.</param>
/// <param name="ResolvedJson">What the stage's job was given; null before it was queued.</param>
/// <param name="ApprovalId">The newest request that this stage waits or waited for.</param>
public sealed record StageDetail(Guid Id, int Ordinal, string Name, string Kind, string Needs, StageState State, int Round, Guid? JobId, string ParametersJson, string? OutputsJson, string? Error,
    DateTimeOffset? StartedAt, DateTimeOffset? EndedAt)
{
    public double Progress { get; init; }
    public string? ProgressText { get; init; }
    public int Attempt { get; init; }
    public string? WorkerName { get; init; }
    public bool CancelRequested { get; init; }
    /// <summary>What a person asked of a training: "pause", "stop-and-keep", or nothing.</summary>
    public string Control { get; init; } = "";
    public string? ResolvedJson { get; init; }
    public Guid? ApprovalId { get; init; }
    public Guid? TrackingRunId { get; init; }

    public IReadOnlyList<string> NeedNames => Needs.Length == 0 ? [] : Needs.Split(',');
    public IReadOnlyDictionary<string, string> Outputs => OutputsJson is null ? new Dictionary<string, string>() : Json.Read<Dictionary<string, string>>(OutputsJson);
}

/// <summary>One run with its stages as its diagram and the panel below it show them.</summary>
public sealed class ReadPipelineRun(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<PipelineRunDetail> GetAsync(Guid id, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var run = await db.PipelineRuns.AsNoTracking().Where(r => r.Id == id)
            .Select(r => new PipelineRunDetail(r.Id, r.Name, r.Number, r.State, r.Yaml, r.CreatedBy, r.CreatedAt, r.EndedAt, new List<StageDetail>())).SingleOrDefaultAsync(ct)
            ?? throw LlmOpsException.NotFound("Pipeline run", id);
        var stages = await db.StageRuns.AsNoTracking().Where(s => s.PipelineRunId == id).OrderBy(s => s.Ordinal)
            .Select(s => new StageDetail(s.Id, s.Ordinal, s.Name, s.Kind, s.Needs, s.State, s.Round, s.JobId, s.ParametersJson, s.OutputsJson, s.Error, s.StartedAt, s.EndedAt)).ToListAsync(ct);
        var jobIds = stages.Where(s => s.JobId is not null).Select(s => s.JobId!.Value).ToList();
        var jobs = await db.Jobs.AsNoTracking().Where(j => jobIds.Contains(j.Id))
            .Select(j => new { j.Id, j.Progress, j.ProgressText, j.Attempt, j.WorkerName, j.CancelRequested, j.Control, j.SpecJson }).ToDictionaryAsync(j => j.Id, ct);
        var runs = await db.Runs.AsNoTracking().Where(r => r.JobId != null && jobIds.Contains(r.JobId.Value)).Select(r => new { JobId = r.JobId!.Value, r.Id }).ToDictionaryAsync(r => r.JobId, r => r.Id, ct);
        var stageIds = stages.Select(s => s.Id).ToList();
        var approvals = (await db.Approvals.AsNoTracking().Where(a => a.StageRunId != null && stageIds.Contains(a.StageRunId.Value)).OrderBy(a => a.CreatedAt)
            .Select(a => new { StageId = a.StageRunId!.Value, a.Id }).ToListAsync(ct)).GroupBy(a => a.StageId).ToDictionary(g => g.Key, g => g.Last().Id);
        return run with
        {
            Stages = [.. stages.Select(s =>
            {
                var job = s.JobId is { } jobId ? jobs.GetValueOrDefault(jobId) : null;
                return s with
                {
                    Progress = job?.Progress ?? 0, ProgressText = job?.ProgressText, Attempt = job?.Attempt ?? 0, WorkerName = job?.WorkerName, CancelRequested = job?.CancelRequested ?? false, Control = job?.Control ?? "",
                    ResolvedJson = job is null ? null : Json.Read<StageSpec>(job.SpecJson).ParametersJson,
                    ApprovalId = approvals.TryGetValue(s.Id, out var approval) ? approval : null,
                    TrackingRunId = s.JobId is { } key && runs.TryGetValue(key, out var tracking) ? tracking : null,
                };
            })],
        };
    }
}
