namespace LlmOps.Lifecycle.Pipelines;

/// <summary>Rules of a run, free of database and clock.</summary>
public static class PipelineStates
{
    /// <summary>Stages that may begin now.</summary>
    public static IEnumerable<StageRun> Ready(IReadOnlyCollection<StageRun> stages)
    {
        var succeeded = stages.Where(s => s.State == StageState.Succeeded).Select(s => s.Name).ToHashSet();
        return stages.Where(s => s.State == StageState.Pending && s.NeedNames.All(succeeded.Contains));
    }

    /// <summary>The run's state as its stages say it. A failed branch does not stop the others: what is under way is finished first.</summary>
    public static PipelineState Of(IReadOnlyCollection<StageRun> stages)
    {
        if (stages.All(s => s.State == StageState.Succeeded))
            return PipelineState.Succeeded;
        if (stages.Any(s => s.State is StageState.Queued or StageState.Running) || Ready(stages).Any())
            return PipelineState.Running;
        if (stages.Any(s => s.State == StageState.WaitingForApproval))
            return PipelineState.WaitingForApproval;
        if (stages.Any(s => s.State == StageState.Failed))
            return PipelineState.Failed;
        return stages.Any(s => s.State == StageState.Cancelled) ? PipelineState.Cancelled : PipelineState.Running;
    }
}
