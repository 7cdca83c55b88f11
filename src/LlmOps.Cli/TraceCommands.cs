using System.CommandLine;

namespace LlmOps.Cli;

/// <summary>Traces and conversations on a server, as JSON.</summary>
internal static class TraceCommands
{
    public static Command Create() => new("traces", "Traces on a server.") { List(), Show(), Sessions() };

    private static Option<bool> Json() => new("--json") { Description = "Accepted everywhere; this command always prints JSON." };

    private static Command List()
    {
        var search = new Option<string?>("--search") { Description = "A part of the id, the name, what was asked or answered." };
        var deployment = new Option<string?>("--deployment") { Description = "Only of this deployment." };
        var session = new Option<string?>("--session") { Description = "Only of this conversation." };
        var outcome = new Option<string?>("--outcome") { Description = "failed or answered." };
        var take = new Option<int>("--take") { Description = "How many at most.", DefaultValueFactory = _ => 20 };
        var command = new Command("list", "Lists traces, newest first.") { search, deployment, session, outcome, take, Json(), ServerCommands.Server };
        command.SetAction((parsed, ct) =>
        {
            var query = new[] { ("q", parsed.GetValue(search)), ("deployment", parsed.GetValue(deployment)), ("session", parsed.GetValue(session)), ("outcome", parsed.GetValue(outcome)) }
                .Where(p => !string.IsNullOrEmpty(p.Item2)).Select(p => $"&{p.Item1}={Uri.EscapeDataString(p.Item2!)}");
            return ServerCommands.SendAsync(parsed, HttpMethod.Get, $"/traces?take={parsed.GetValue(take)}{string.Concat(query)}", null, ct);
        });
        return command;
    }

    private static Command Show()
    {
        var id = new Argument<string>("id") { Description = "Id of the trace, 32 hexadecimal digits." };
        var command = new Command("show", "Shows one trace with its steps and what was said of it.") { id, Json(), ServerCommands.Server };
        command.SetAction((parsed, ct) => ServerCommands.SendAsync(parsed, HttpMethod.Get, $"/traces/{Uri.EscapeDataString(parsed.GetValue(id)!)}", null, ct));
        return command;
    }

    private static Command Sessions()
    {
        var id = new Argument<string?>("id") { Description = "Id of a conversation: its turns. Without one: the list.", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("sessions", "Lists conversations, newest first, or shows the turns of one.") { id, Json(), ServerCommands.Server };
        command.SetAction((parsed, ct) => ServerCommands.SendAsync(parsed, HttpMethod.Get, parsed.GetValue(id) is { Length: > 0 } one ? $"/sessions/one?id={Uri.EscapeDataString(one)}" : "/sessions", null, ct));
        return command;
    }
}
