using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Training;

namespace LlmOps.Worker.Evaluation;

/// <summary>What can be measured of a reward model: whether it gives the chosen answer the greater reward.</summary>
public static class RewardRows
{
    public static IReadOnlyList<RowScore> Measure(string folder, HeldOutRows rows, Guid run, CancellationToken ct)
    {
        if (rows.Preferences.Count == 0)
            throw LlmOpsException.Invalid("A reward model is measured on preference pairs; name them in 'preferences'.");
        using var model = RewardModel.Load(folder);
        var chosen = model.Score([.. rows.Preferences.Select(r => (r.Row.Prompt, r.Row.Chosen))], ct);
        var rejected = model.Score([.. rows.Preferences.Select(r => (r.Row.Prompt, r.Row.Rejected))], ct);
        return [.. rows.Preferences.Select((row, i) => new RowScore
        {
            EvaluationRunId = run, Task = EvaluationTasks.Preference.Name, RowKey = row.Key, Value = chosen[i] > rejected[i] ? 1 : 0, Prompt = row.Row.Prompt, Expected = row.Row.Chosen,
            Slice = row.Row.RejectedKind, Answer = FormattableString.Invariant($"reward chosen {chosen[i]:0.00}, rejected {rejected[i]:0.00}: {row.Row.Rejected}"),
        })];
    }
}
