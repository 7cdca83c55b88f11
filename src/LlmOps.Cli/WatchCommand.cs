using System.CommandLine;
using System.Text.Json;
using LlmOps.Lifecycle;

namespace LlmOps.Cli;

/// <summary>Follows a pipeline run on a server to its end.</summary>
internal static class WatchCommand
{
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(1);

    public static Command Create()
    {
        var run = new Argument<string>("run") { Description = "Id of a run, or the name of a pipeline, whose newest run is meant." };
        var json = Output.Json;
        var command = new Command("watch", "Follows a pipeline run to its end. Exit code 0: it succeeded, 1: it failed or was cancelled, 3: it waits for an approval.") { run, ServerCommands.Server };
        command.SetAction(async (parsed, ct) =>
        {
            using var connection = ServerConnection.Open(parsed);
            return await FollowAsync(connection, await FindAsync(connection, parsed.GetValue(run)!, ct), parsed.GetValue(json), ct);
        });
        return command;
    }

    internal static async Task<int> FollowAsync(ServerConnection connection, Guid id, bool json, CancellationToken ct)
    {
        var seen = new Dictionary<string, string>(StringComparer.Ordinal);
        while (true)
        {
            var run = await connection.GetAsync($"/pipeline-runs/{id}", ct);
            foreach (var stage in run.GetProperty("stages").EnumerateArray().Where(s => !json && seen.GetValueOrDefault(s.Text("name")) != s.Text("state")))
            {
                seen[stage.Text("name")] = stage.Text("state");
                if (stage.Text("state") is not ("Pending" or "Queued"))
                    Console.WriteLine($"{stage.Text("name")}: {stage.Text("state")}{Took(stage)}{(stage.Text("error") is { Length: > 0 } error ? " — " + error : "")}");
            }
            var state = run.Text("state");
            if (state is "Succeeded" or "Failed" or "Cancelled" or "WaitingForApproval")
            {
                Console.WriteLine(json ? ServerCommands.Pretty(run) : $"{run.Text("pipeline")} #{run.Text("number")}: {state}{(state == "WaitingForApproval" ? $". Decide on {connection.Server}/approvals" : "")}");
                return state switch { "Succeeded" => 0, "WaitingForApproval" => 3, _ => 1 };
            }
            await Task.Delay(Between, ct);
        }
    }

    private static async Task<Guid> FindAsync(ServerConnection connection, string text, CancellationToken ct)
    {
        if (Guid.TryParse(text, out var id))
            return id;
        var newest = (await connection.GetAsync($"/pipeline-runs?pipeline={Uri.EscapeDataString(text)}&take=1", ct)).GetProperty("rows").EnumerateArray().FirstOrDefault();
        return newest.ValueKind == JsonValueKind.Object ? newest.GetProperty("id").GetGuid() : throw LlmOpsException.NotFound("Run of the pipeline", text);
    }

    private static string Took(JsonElement stage) => stage.Moment("ended_at") is { } end && stage.Moment("started_at") is { } start ? $" after {(end - start) / 1000.0:0.0} s" : "";

    private static long? Moment(this JsonElement stage, string name) => stage.TryGetProperty(name, out var at) && at.ValueKind == JsonValueKind.Number ? at.GetInt64() : null;
}
