using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking;

/// <summary>Keeps the descriptions of the models that a run logged, in the tag where clients look for them.</summary>
public sealed class LogModelHistory(WriteGroups groups)
{
    public const string Tag = "mlflow.log-model.history";
    private const int Longest = 1_000_000;

    public Task AddAsync(Guid runId, string? modelJson, CancellationToken ct = default)
    {
        var model = Parse(TrackingLimits.EnsureText(TrackingKeys.Required(modelJson, "model_json"), "model_json", Longest));
        return groups.WriteAsync(async db =>
        {
            var run = await ChangeRun.ActiveAsync(db, runId, ct);
            var tag = await db.RunTags.SingleOrDefaultAsync(t => t.RunId == runId && t.Key == Tag);
            var history = tag is null ? [] : Stored(tag.Value);
            history.Add(model.DeepClone());
            var text = history.ToJsonString(Json.Options);
            if (tag is null)
                db.RunTags.Add(new RunTag { RunId = runId, ExperimentId = run.ExperimentId, StartedAt = run.StartedAt, Key = Tag, Value = text });
            else
                tag.Value = text;
            await db.SaveChangesAsync();
            return true;
        }, ct);
    }

    private static JsonArray Stored(string text)
    {
        try
        {
            return JsonNode.Parse(text) as JsonArray ?? [];
        }
        catch (JsonException)
        {
            return [];      // a client wrote something else there
        }
    }

    private static JsonObject Parse(string text)
    {
        JsonObject? model = null;
        try
        {
            model = JsonNode.Parse(text, documentOptions: new() { MaxDepth = 32 }) as JsonObject;
        }
        catch (JsonException)
        {
            // said below
        }
        if (model is null)
            throw LlmOpsException.Invalid("Malformed model info: model_json is no JSON object.");
        string[] missing = [.. new[] { "artifact_path", "flavors", "utc_time_created", "run_id" }.Where(k => !model.ContainsKey(k))];
        return missing.Length == 0 ? model : throw LlmOpsException.Invalid($"Model json is missing mandatory fields: {string.Join(", ", missing)}");
    }
}
