using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation.Suites;

namespace LlmOps.Lifecycle.Evaluation.Judges;

/// <summary>What a run's detail says about the judges of its tasks, and what they cost.</summary>
public static class JudgedTasks
{
    private const string Key = "judges";

    public static async Task WriteAsync(LlmOpsDb db, JsonObject detail, SuiteDocument suite, IReadOnlyList<RowScore> rows, CancellationToken ct)
    {
        detail.Remove(Key);
        detail.Remove("cost_usd");
        var conducts = new Dictionary<string, JudgeConduct>(StringComparer.Ordinal);
        foreach (var task in suite.Tasks.Where(JudgeKinds.Is))
        {
            var first = task.Measures[0].RowName;
            var traces = rows.Where(r => r.Task == first && r.State == RowState.Scored && r.DetailJson is not null).Select(r => Json.Read<JudgeTrace>(r.DetailJson!)).ToList();
            if (JudgeConduct.Of(traces, (await db.GetJudgeAsync(task.Judge!, ct)).Document()) is { } conduct)
                conducts[task.Name] = conduct;
        }
        if (conducts.Count == 0)
            return;
        detail[Key] = JsonSerializer.SerializeToNode(conducts, Json.Options);
        detail["cost_usd"] = conducts.Values.Sum(c => c.CostUsd);
    }

    /// <summary>Task → how its judge behaved; empty for a run that no judge had a part in.</summary>
    public static IReadOnlyDictionary<string, JudgeConduct> Parse(string? detailJson)
    {
        if (detailJson is null)
            return new Dictionary<string, JudgeConduct>();
        using var document = JsonDocument.Parse(detailJson);
        return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty(Key, out var found)
            ? found.Deserialize<Dictionary<string, JudgeConduct>>(Json.Options)! : new Dictionary<string, JudgeConduct>();
    }
}
