using System.CommandLine;
using System.Text.Json;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Deployments;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>What a server serves.</summary>
internal static class DeployCommands
{
    public static IEnumerable<Command> Create() => [Deploy(), Rollback(), new Command("deployments", "What a server serves.") { List(), Show() }];

    private static Command Deploy()
    {
        var name = new Argument<string>("name") { Description = "Name of the deployment; a new one is made." };
        var version = new Argument<string>("version") { Description = "Version and variant to serve, name/number:variant. It has to be approved." };
        var index = new Option<string?>("--index") { Description = "Knowledge base and number of its index, docs/3: the deployment answers from documents." };
        var canary = new Option<int?>("--canary") { Description = "Only this share of the traffic, in percent; a worse revision rolls itself back." };
        var json = Output.Json;
        var command = new Command("deploy", "Serves an approved variant.") { name, version, index, canary, ServerCommands.Server };
        command.SetAction(async (parsed, ct) =>
        {
            var (key, variant) = Split(parsed.GetValue(version)!);
            using var connection = ServerConnection.Open(parsed);
            var deployment = parsed.GetValue(name)!;
            var made = parsed.GetValue(canary) is { } percent
                ? await connection.SendAsync(HttpMethod.Post, $"/deployments/{Uri.EscapeDataString(deployment)}/canary", new { Version = key, Variant = variant, Percent = percent, Index = parsed.GetValue(index) }, ct)
                : await connection.SendAsync(HttpMethod.Post, "/deployments", new { Name = deployment, Kind = parsed.GetValue(index) is null ? DeploymentKind.Chat : DeploymentKind.Rag, Version = key, Variant = variant, Index = parsed.GetValue(index) }, ct);
            Answer(made, parsed.GetValue(json));
            return 0;
        });
        return command;
    }

    private static Command Rollback()
    {
        var name = new Argument<string>("name") { Description = "Name of the deployment." };
        var json = Output.Json;
        var command = new Command("rollback", "Gives all traffic back to the revision before.") { name, ServerCommands.Server };
        command.SetAction(async (parsed, ct) =>
        {
            using var connection = ServerConnection.Open(parsed);
            Answer(await connection.SendAsync(HttpMethod.Post, $"/deployments/{Uri.EscapeDataString(parsed.GetValue(name)!)}/rollback", null, ct), parsed.GetValue(json));
            return 0;
        });
        return command;
    }

    private static Command List()
    {
        var json = Output.Json;
        var command = new Command("list", "Lists the deployments with what takes their traffic.") { ServerCommands.Server };
        command.SetAction((parsed, ct) => ServerCommands.ListAsync(parsed, "/deployments?take=1000", parsed.GetValue(json), "No deployments yet. Make one with 'llmops deploy'.", ct,
            ("name", r => r.Text("name")), ("kind", r => r.Text("kind")), ("serves", r => string.Join(", ", r.GetProperty("serving").EnumerateArray().Select(Share))), ("requests", r => r.Text("requests")), ("failed", r => r.Text("failures"))));
        return command;
    }

    private static Command Show()
    {
        var name = new Argument<string>("name") { Description = "Name of the deployment." };
        var json = Output.Json;
        var command = new Command("show", "One deployment with its revisions.") { name, ServerCommands.Server };
        command.SetAction(async (parsed, ct) =>
        {
            using var connection = ServerConnection.Open(parsed);
            var found = await connection.GetAsync($"/deployments/{Uri.EscapeDataString(parsed.GetValue(name)!)}", ct);
            if (parsed.GetValue(json))
                Console.WriteLine(ServerCommands.Pretty(found));
            else
                ServerCommands.Table(found.GetProperty("revisions").EnumerateArray(), ("revision", r => r.Text("number")), ("version", r => $"{r.Text("version")}:{r.Text("variant")}"), ("traffic", r => r.Text("traffic_percent") + " %"),
                    ("shadow", r => r.Text("shadow_percent") + " %"), ("index", r => r.Text("index")), ("by", r => r.Text("created_by")));
            return 0;
        });
        return command;
    }

    /// <summary>name/number:variant.</summary>
    internal static (string Version, string Variant) Split(string text) => text.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon && colon < text.Length - 1
        ? (text[..colon], text[(colon + 1)..])
        : throw LlmOpsException.Invalid($"'{text}' names no variant. Write it as name/number:variant, for example dictionary/3:int8.");

    private static string Share(JsonElement revision) => $"{revision.Text("version")}:{revision.Text("variant")} {revision.Text("traffic_percent")} %";

    private static void Answer(JsonElement made, bool json)
    {
        if (json)
            Console.WriteLine(ServerCommands.Pretty(made));
        else
            AnsiConsole.MarkupLineInterpolated($"{made.Text("deployment")}: revision {made.Text("number")} takes {made.Text("traffic_percent")} % of the traffic.");
    }
}
