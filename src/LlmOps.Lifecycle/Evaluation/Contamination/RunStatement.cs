using System.Text.Json.Nodes;

namespace LlmOps.Lifecycle.Evaluation.Contamination;

/// <summary>What was known about a run when it ended, kept with it: the ledger may learn more, and the page says what it knows now.</summary>
public static class RunStatement
{
    public static void Write(EvaluationRun run, ContaminationStatement statement)
    {
        var detail = run.DetailJson is null ? [] : JsonNode.Parse(run.DetailJson)!.AsObject();
        detail["contamination"] = new JsonObject
        {
            ["verdict"] = statement.Verdict.ToString(), ["rows"] = statement.Rows, ["exact"] = statement.Exact, ["near"] = statement.Near, ["not_measured"] = statement.NotMeasured,
            ["unchecked"] = new JsonArray([.. statement.Unchecked.Select(u => JsonValue.Create(u))]), ["words"] = statement.Words,
        };
        run.DetailJson = detail.ToJsonString();
    }
}
