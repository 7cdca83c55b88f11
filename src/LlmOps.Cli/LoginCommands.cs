using System.CommandLine;
using System.Text.Json;
using LlmOps.Lifecycle;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>Who the commands act as on a server.</summary>
internal static class LoginCommands
{
    public static IEnumerable<Command> Create() => [Login(), Logout(), WhoAmI()];

    private static Command Login()
    {
        var server = new Argument<string>("server") { Description = "Address of the server, http://host:port." };
        var command = new Command("login", "Keeps an API token for a server, which later commands then use. The token is asked for, or read from the standard input.") { server };
        command.SetAction(async (parsed, ct) =>
        {
            var address = ServerConnection.Normalised(parsed.GetValue(server)!);
            // Never an argument: those are seen by everybody on the machine and stay in the shell's history.
            var token = Console.IsInputRedirected ? (await Console.In.ReadToEndAsync(ct)).Trim()
                : AnsiConsole.Prompt(new TextPrompt<string>($"API token for {address.EscapeMarkup()} (made under Settings, API tokens):").Secret());
            if (token.Length == 0)
                throw LlmOpsException.Invalid("No token was given. Make one under Settings, API tokens, and paste it.");
            using var connection = new ServerConnection(address, token);
            var who = await connection.GetAsync("/whoami", ct);
            SignIns.Read().With(address, token).Write();
            Output.Say(parsed, new { Server = address, Name = who.GetProperty("name").GetString(), SignIns.File }, $"Signed in to {address} as {who.GetProperty("name").GetString()}. The token is kept in {SignIns.File}.");
            return 0;
        });
        return command;
    }

    private static Command Logout()
    {
        var server = new Argument<string?>("server") { Description = "Address of the server; the one that commands go to when not given.", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("logout", "Forgets the token of a server. It stays valid until it is revoked under Settings.") { server };
        command.SetAction(parsed =>
        {
            var kept = SignIns.Read();
            var address = parsed.GetValue(server) is { } given ? ServerConnection.Normalised(given) : kept.Current ?? throw LlmOpsException.Invalid("Nobody is signed in to any server.");
            if (!kept.Tokens.ContainsKey(address))
                throw LlmOpsException.Invalid($"Nobody is signed in to {address}.");
            var left = kept.Without(address);
            left.Write();
            Output.Say(parsed, new { Server = address, left.Current }, $"The token of {address} is forgotten. {(left.Current is null ? "No other is kept." : $"Commands go to {left.Current} now.")}");
            return 0;
        });
        return command;
    }

    private static Command WhoAmI()
    {
        var json = Output.Json;
        var command = new Command("whoami", "Who you are on a server, and what you may do there.") { ServerCommands.Server };
        command.SetAction(async (parsed, ct) =>
        {
            using var connection = ServerConnection.Open(parsed);
            var who = await connection.GetAsync("/whoami", ct);
            if (parsed.GetValue(json))
                Console.WriteLine(ServerCommands.Pretty(who));
            else
                AnsiConsole.MarkupLineInterpolated($"{who.GetProperty("name").GetString()} on {connection.Server}, may: {string.Join(", ", who.GetProperty("permissions").EnumerateArray().Select(p => p.GetString()))}.");
            return 0;
        });
        return command;
    }
}
