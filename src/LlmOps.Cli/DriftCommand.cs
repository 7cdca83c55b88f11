using System.CommandLine;
using System.Net.Http.Json;

namespace LlmOps.Cli;

/// <summary>How a deployment's traffic compares with its past, as JSON.</summary>
internal static class DriftCommand
{
    public static Command Create()
    {
        var name = new Argument<string>("deployment") { Description = "Name of the deployment." };
        var last = new Option<bool>("--last") { Description = "The checks that were made, instead of a new one." };
        var watch = new Option<bool?>("--watch") { Description = "Has the server look regularly (true), or no longer (false)." };
        var json = new Option<bool>("--json") { Description = "Accepted everywhere; this command always prints JSON." };
        var command = new Command("drift", "Compares a deployment's newest traces with those before: lengths, latency, refusals, meaning.") { name, last, watch, json, ServerCommands.Server };
        command.SetAction((parsed, ct) =>
        {
            var path = $"/deployments/{Uri.EscapeDataString(parsed.GetValue(name)!)}/drift";
            return parsed.GetValue(watch) is { } enabled ? ServerCommands.SendAsync(parsed, HttpMethod.Put, path, JsonContent.Create(new { enabled }), ct)
                : ServerCommands.SendAsync(parsed, parsed.GetValue(last) ? HttpMethod.Get : HttpMethod.Post, path, null, ct);
        });
        return command;
    }
}
