using System.CommandLine;
using System.Net.Http.Json;

namespace LlmOps.Cli;

/// <summary>Webhooks on a server: who is told what happens there.</summary>
internal static class WebhookCommands
{
    public static Command Create() => new("webhooks", "Webhooks on a server.") { List(), New(), Test(), Deliveries(), Replay(), Rotate() };

    private static Command List()
    {
        var json = Output.Json;
        var command = new Command("list", "Lists the endpoints with how many deliveries wait, arrived and failed.") { ServerCommands.Server };
        command.SetAction((parsed, ct) => ServerCommands.ListAsync(parsed, "/webhooks", parsed.GetValue(json), "No webhooks yet. Make one with 'llmops webhooks create'.", ct,
            ("id", r => r.Text("id")), ("name", r => r.Text("name")), ("address", r => r.Text("url")), ("state", r => r.Text("state")), ("waiting", r => r.Text("waiting")), ("arrived", r => r.Text("delivered")), ("failed", r => r.Text("failed"))));
        return command;
    }

    private static Command New()
    {
        var name = new Argument<string>("name") { Description = "Name of the endpoint." };
        var url = new Argument<string>("url") { Description = "Where to POST, https://host/path." };
        var events = new Option<string[]>("--events") { Description = "What it is told, for example 'approval.*'; everything when not given. May be repeated.", AllowMultipleArgumentsPerToken = true };
        var profile = new Option<string>("--profile") { Description = "standard, cloudevents-structured, cloudevents-binary or mlflow.", DefaultValueFactory = _ => "standard" };
        var secret = new Option<string?>("--secret") { Description = "'whsec_' and 24 to 64 bytes in base64; one is made when not given." };
        var command = new Command("create", "Makes an endpoint and prints its secret, this once.") { name, url, events, profile, secret, ServerCommands.Server };
        command.SetAction((parsed, ct) => ServerCommands.SendAsync(parsed, HttpMethod.Post, "/webhooks", JsonContent.Create(new
        {
            name = parsed.GetValue(name), url = parsed.GetValue(url), events = parsed.GetValue(events) is { Length: > 0 } asked ? asked : ["*"], profile = parsed.GetValue(profile), secret = parsed.GetValue(secret),
        }), ct));
        return command;
    }

    private static Command Test()
    {
        var id = Endpoint();
        var type = new Option<string?>("--event") { Description = "The event to invent; the first that the endpoint is told when not given." };
        var command = new Command("test", "Sends an invented event now and prints what the receiver answered.") { id, type, ServerCommands.Server };
        command.SetAction((parsed, ct) => ServerCommands.SendAsync(parsed, HttpMethod.Post, $"/webhooks/{parsed.GetValue(id)}/test", JsonContent.Create(new { type = parsed.GetValue(type) }), ct));
        return command;
    }

    private static Command Deliveries()
    {
        var id = Endpoint();
        var state = new Option<string?>("--state") { Description = "Only those that are Waiting, Delivered or Failed." };
        var command = new Command("deliveries", "Lists what an endpoint was told, newest first.") { id, state, ServerCommands.Server };
        command.SetAction((parsed, ct) => ServerCommands.SendAsync(parsed, HttpMethod.Get, $"/webhooks/{parsed.GetValue(id)}/deliveries?state={Uri.EscapeDataString(parsed.GetValue(state) ?? "")}", null, ct));
        return command;
    }

    private static Command Replay()
    {
        var id = new Argument<Guid>("id") { Description = "Id of a delivery; of an endpoint with --failed." };
        var failed = new Option<bool>("--failed") { Description = "Everything of this endpoint that failed." };
        var command = new Command("replay", "Sends a delivery once more, with its old id.") { id, failed, ServerCommands.Server };
        command.SetAction((parsed, ct) => parsed.GetValue(failed) ? ServerCommands.SendAsync(parsed, HttpMethod.Post, $"/webhooks/{parsed.GetValue(id)}/replay", JsonContent.Create(new { }), ct)
            : ServerCommands.SendAsync(parsed, HttpMethod.Post, $"/webhooks/deliveries/{parsed.GetValue(id)}/replay", null, ct));
        return command;
    }

    private static Command Rotate()
    {
        var id = Endpoint();
        var overlap = new Option<int?>("--overlap-seconds") { Description = "How long the old secret signs beside the new one; a day when not given." };
        var command = new Command("rotate-secret", "Makes a new secret and prints it, this once.") { id, overlap, ServerCommands.Server };
        command.SetAction((parsed, ct) => ServerCommands.SendAsync(parsed, HttpMethod.Post, $"/webhooks/{parsed.GetValue(id)}/secret", JsonContent.Create(new { overlap_seconds = parsed.GetValue(overlap) }), ct));
        return command;
    }

    private static Argument<Guid> Endpoint() => new("webhook") { Description = "Id of the endpoint, as the list shows it." };
}
