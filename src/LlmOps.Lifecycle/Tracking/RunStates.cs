namespace LlmOps.Lifecycle.Tracking;

/// <summary>The words that the MLflow API has for the states of a run.</summary>
public static class RunStates
{
    internal static IReadOnlyDictionary<string, RunState> ByWord { get; } = new Dictionary<string, RunState>(StringComparer.Ordinal)
    {
        ["RUNNING"] = RunState.Running, ["SCHEDULED"] = RunState.Scheduled, ["FINISHED"] = RunState.Succeeded, ["FAILED"] = RunState.Failed, ["KILLED"] = RunState.Cancelled,
    };

    public static string Word(RunState state) => ByWord.Single(s => s.Value == state).Key;

    public static RunState Parse(string word) => ByWord.TryGetValue(word, out var state) ? state
        : throw LlmOpsException.Invalid($"'{TrackingKeys.Shown(word)}' is no status of a run. Use one of {string.Join(", ", ByWord.Keys)}.");
}
