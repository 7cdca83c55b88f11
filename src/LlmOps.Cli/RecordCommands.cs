using System.CommandLine;
using System.Globalization;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Registry;
using Microsoft.Extensions.DependencyInjection;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>What the records say: who put what where, the card and the bill of materials.</summary>
internal static class RecordCommands
{
    public static IEnumerable<Command> Create() => [History(), Document("card", "Writes the model card with the Hub's front matter.", (r, key, ct) => r.CardAsync(key, ct)),
        Document("bom", "Writes the bill of materials: CycloneDX 1.6, JSON.", (r, key, ct) => r.BillOfMaterialsAsync(key, ct))];

    private static Command History()
    {
        var model = new Argument<string>("model");
        var alias = new Argument<string>("alias");
        var at = new Option<string?>("--at") { Description = "Time, for example 2026-03-01T12:00Z; now by default. Without a zone it is UTC." };
        var data = Data();
        var command = new Command("history", "Says what an alias held at a time, on whose word and on which evidence.") { model, alias, at, data };
        command.SetAction(async (parsed, ct) =>
        {
            var time = DateTimeOffset.UtcNow;
            if (parsed.GetValue(at) is { } text && !DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time))
                throw LlmOpsException.Invalid($"'{text}' is no time. Write it like 2026-03-01T12:00Z.");
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
            var holder = await host.Services.GetRequiredService<ReadAliasHistory>().AtAsync(parsed.GetValue(model)!, parsed.GetValue(alias)!, time, ct);
            if (parsed.GetValue(Output.Json))
            {
                Console.WriteLine(Json.Write(new { At = time, Holder = holder }));
                return holder is null ? 1 : 0;
            }
            if (holder is null)
            {
                AnsiConsole.MarkupLineInterpolated($"{parsed.GetValue(alias)} held nothing at {time.UtcDateTime:u}.");
                return 1;
            }
            var until = holder.Until is { } end ? $"{end.UtcDateTime:u}" : "now";
            AnsiConsole.MarkupLineInterpolated($"{holder.Alias}: {holder.Version} {holder.Variant}, {holder.Since.UtcDateTime:u} to {until}");
            AnsiConsole.MarkupLineInterpolated($"  asked for by {holder.RequestedBy ?? "nobody recorded"}, signed by {(holder.OnWhoseWord.Count == 0 ? holder.MovedBy : string.Join(", ", holder.OnWhoseWord))}, {holder.Kind ?? "Promotion"}");
            AnsiConsole.MarkupLineInterpolated($"  evidence sha256:{holder.EvidenceDigest}, approval {holder.ApprovalId}");
            if (holder.StatementDigest is { } statement)
                AnsiConsole.MarkupLineInterpolated($"  signed statement sha256:{statement}");
            if (holder.Reason is { } reason)
                AnsiConsole.MarkupLineInterpolated($"  reason: {reason}");
            return 0;
        });
        return command;
    }

    private static Command Document(string name, string description, Func<ReadModelRecords, VersionKey, CancellationToken, Task<string>> write)
    {
        var version = new Argument<string>("version") { Description = "name/number." };
        var data = Data();
        var command = new Command(name, description) { version, data };
        command.SetAction(async (parsed, ct) =>
        {
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
            // Not through the console's markup: it would wrap lines and read brackets.
            await Console.Out.WriteLineAsync(await write(host.Services.GetRequiredService<ReadModelRecords>(), VersionKey.Parse(parsed.GetValue(version)!), ct));
            return 0;
        });
        return command;
    }

    private static Option<string?> Data() => new("--data-folder") { Description = "Data folder; the default is in your home." };
}
