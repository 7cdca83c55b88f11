using System.CommandLine;
using System.Diagnostics;
using LlmOps.Lifecycle;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>Asks for an alias to move; people decide.</summary>
internal static class PromoteCommand
{
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(2);

    public static Command Create()
    {
        var version = new Argument<string>("version") { Description = "Version and variant, name/number:variant." };
        var alias = new Option<string>("--alias") { Description = "Alias to move.", DefaultValueFactory = _ => "production" };
        var reason = new Option<string?>("--reason") { Description = "Why." };
        var wait = new Option<int?>("--wait-minutes") { Description = "Wait so long for the decision." };
        var json = Output.Json;
        var command = new Command("promote", "Asks for an alias to move to a variant of a version. Exit code with --wait-minutes: 0 approved, 1 not approved, 2 nobody decided.") { version, alias, reason, wait, ServerCommands.Server };
        command.SetAction(async (parsed, ct) =>
        {
            var (key, variant) = DeployCommands.Split(parsed.GetValue(version)!);
            using var connection = ServerConnection.Open(parsed);
            var asked = await connection.SendAsync(HttpMethod.Post, "/promotions", new { Version = key, Variant = variant, Alias = parsed.GetValue(alias), Reason = parsed.GetValue(reason) }, ct);
            var id = asked.Text("id");
            if (!parsed.GetValue(json))
                AnsiConsole.MarkupLineInterpolated($"Asked for: {connection.Server}/approvals/{id}");
            var state = asked.Text("state");
            var waited = Stopwatch.StartNew();
            while (parsed.GetValue(wait) is { } minutes && state == "WaitingForApproval" && waited.Elapsed < TimeSpan.FromMinutes(minutes))
            {
                await Task.Delay(Between, ct);
                state = (await connection.GetAsync($"/approvals/{id}", ct)).GetProperty("row").Text("state");
            }
            if (parsed.GetValue(json))
                Console.WriteLine(Lifecycle.Data.Json.Write(new { Id = id, State = state, Address = $"{connection.Server}/approvals/{id}" }));
            else
                AnsiConsole.MarkupLineInterpolated($"{key}:{variant} as {parsed.GetValue(alias)}: {state}.");
            return parsed.GetValue(wait) is null ? 0 : state switch { "Approved" => 0, "WaitingForApproval" => 2, _ => 1 };
        });
        return command;
    }
}
