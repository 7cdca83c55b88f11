using System.CommandLine;
using System.Globalization;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Promotion.Attestations;
using LlmOps.Lifecycle.Quickstart;
using LlmOps.Lifecycle.Registry;
using Microsoft.Extensions.DependencyInjection;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>Signed statements and their keys, from the data folder or the configured database.</summary>
internal static class AttestCommands
{
    private static Option<string?> Data() => new("--data-folder") { Description = "Data folder; the default is in your home." };

    public static Command Attest() => new("attest", "Signed statements about promotions.") { Show(), Download(), History() };

    public static Command Keys() => new("keys", "The keys that statements are signed with.") { List(), Export(), Rotate() };

    private static Command Show()
    {
        var version = new Argument<string>("version") { Description = "name/number." };
        return On("show", "Lists the statements about a version and says whether the records are still as they were signed: exit code 1 when not.", [version], async (services, parsed, ct) =>
        {
            var read = services.GetRequiredService<ReadAttestations>();
            var rows = await read.OfVersionAsync(VersionKey.Parse(parsed.GetValue(version)!), ct);
            if (parsed.GetValue(Output.Json))
                return await ShowAsync(read, rows, ct);
            if (rows.Count == 0)
                Console.WriteLine($"No promotion of {parsed.GetValue(version)} was signed.");
            var isGood = true;
            foreach (var row in rows)
            {
                var found = await read.GetAsync(row.ApprovalId, ct);
                isGood &= found.Mismatches.Count == 0;
                Console.WriteLine($"{row.At.UtcDateTime.ToString("u", CultureInfo.InvariantCulture)} {row.Version} {row.Variant} to {row.Alias}, {row.Kind.ToString().ToLowerInvariant()}, approval {row.ApprovalId}");
                Console.WriteLine($"  statement sha256:{row.StatementDigest}, key {row.KeyId[..12]}, {(found.Mismatches.Count == 0 ? "as it was signed" : "NOT as it was signed")}");
                foreach (var mismatch in found.Mismatches)
                    Console.WriteLine($"  {mismatch}");
            }
            return isGood ? 0 : 1;
        });
    }

    private static async Task<int> ShowAsync(ReadAttestations read, IReadOnlyList<AttestationRow> rows, CancellationToken ct)
    {
        List<(AttestationRow Row, IReadOnlyList<string> Mismatches)> found = [];
        foreach (var row in rows)
            found.Add((row, (await read.GetAsync(row.ApprovalId, ct)).Mismatches));
        Console.WriteLine(Json.Write(found.Select(f => new { Statement = f.Row, f.Mismatches })));
        return found.All(f => f.Mismatches.Count == 0) ? 0 : 1;
    }

    private static Command Download()
    {
        var approval = new Argument<Guid>("approval") { Description = "Id of the approval." };
        var output = new Option<string>("--output") { Description = "Folder to write the envelope and the evidence into.", DefaultValueFactory = _ => "." };
        return On("download", "Writes the envelope and the evidence bundle of a promotion as files.", [approval, output], async (services, parsed, ct) =>
        {
            var read = services.GetRequiredService<ReadAttestations>();
            var found = await read.GetAsync(parsed.GetValue(approval), ct);
            var (bundle, json) = await read.EvidenceAsync(parsed.GetValue(approval), ct);
            var folder = Directory.CreateDirectory(parsed.GetValue(output)!).FullName;
            List<string> paths = [];
            // Names are made of names that were checked when they were given; only their last part is used all the same.
            foreach (var (name, text) in new[] { (found.Row.FileName, found.EnvelopeJson), (bundle, json) })
            {
                var path = Path.Combine(folder, Path.GetFileName(name));
                await File.WriteAllTextAsync(path, text, ct);
                paths.Add(path);
            }
            Console.WriteLine(parsed.GetValue(Output.Json) ? Json.Write(paths) : string.Join('\n', paths));
            return 0;
        });
    }

    private static Command History()
    {
        var model = new Argument<string>("model");
        var alias = new Argument<string>("alias");
        return On("history", "Prints the statements about every move of an alias, oldest first, one envelope a line, for 'llmops verify'.", [model, alias], async (services, parsed, ct) =>
        {
            foreach (var envelope in await services.GetRequiredService<ReadAttestations>().HistoryAsync(parsed.GetValue(model)!, parsed.GetValue(alias)!, ct))
                Console.WriteLine(envelope);
            return 0;
        });
    }

    private static Command List() => On("list", "Lists the public keys, the one in force first.", [], async (services, parsed, ct) =>
    {
        var keys = await services.GetRequiredService<ReadAttestations>().KeysAsync(ct);
        if (parsed.GetValue(Output.Json))
        {
            Console.WriteLine(Json.Write(keys.Select(Public)));
            return 0;
        }
        foreach (var key in keys)
            Console.WriteLine($"{key.KeyId} {key.CreatedAt.UtcDateTime.ToString("u", CultureInfo.InvariantCulture)} {(key.RetiredAt is { } at ? "retired " + at.UtcDateTime.ToString("u", CultureInfo.InvariantCulture) : "in force")}");
        return 0;
    });

    private static Command Export()
    {
        var id = new Argument<string>("id") { Description = "Key id; the key in force when left out.", DefaultValueFactory = _ => "current" };
        return On("export", "Prints a public key in PEM form.", [id], async (services, parsed, ct) =>
        {
            var key = await services.GetRequiredService<ReadAttestations>().KeyAsync(parsed.GetValue(id)!, ct);
            Console.WriteLine(parsed.GetValue(Output.Json) ? Json.Write(Public(key)) : key.PublicKeyPem);
            return 0;
        });
    }

    /// <summary>Never the other half.</summary>
    private static object Public(SigningKey key) => new { key.KeyId, key.PublicKeyPem, key.CreatedAt, key.RetiredAt };

    private static Command Rotate() => On("rotate", "Puts a new signing key in force and retires the old one, whose statements can still be checked.", [], async (services, parsed, ct) =>
    {
        var people = await services.GetRequiredService<QuickstartSetup>().EnsureAdministratorAsync(ct);
        var actor = await services.GetRequiredService<ManagePeople>().FindActorAsync(people.Administrator.Id, ct)
            ?? throw LlmOpsException.Invalid($"The account '{QuickstartSetup.AdministratorName}' is disabled, and only an administrator rotates the key. Rotate it under Settings as another administrator.");
        var made = await services.GetRequiredService<RotateSigningKey>().RotateAsync(actor, ct);
        Output.Say(parsed, new { made.KeyId }, $"In force: {made.KeyId}. Give its public half, 'llmops keys export', to those who verify.");
        return 0;
    });

    private static Command On(string name, string description, IReadOnlyList<Symbol> symbols, Func<IServiceProvider, ParseResult, CancellationToken, Task<int>> act)
    {
        var data = Data();
        var command = new Command(name, description) { data };
        foreach (var symbol in symbols)
        {
            if (symbol is Argument argument)
                command.Add(argument);
            else
                command.Add((Option)symbol);
        }
        command.SetAction(async (parsed, ct) =>
        {
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
            return await act(host.Services, parsed, ct);
        });
        return command;
    }
}
