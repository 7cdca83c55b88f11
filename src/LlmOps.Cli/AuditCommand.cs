using System.CommandLine;
using System.Text.Json;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using Microsoft.Extensions.DependencyInjection;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>The audit chain in a terminal: note its end, export it, and check it where the server has no say.</summary>
internal static class AuditCommand
{
    public static Command Create()
    {
        var data = new Option<string?>("--data-folder") { Description = "Data folder; the default is in your home." };
        var json = Output.Json;
        return new Command("audit", "Checks that nobody changed the audit trail.") { Head(data), Verify(data, json), Export(data) };
    }

    private static Command Head(Option<string?> data)
    {
        var command = new Command("head", "Prints the end of the chain. Write it down where this server cannot change it.") { data };
        command.SetAction(async (parsed, ct) =>
        {
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
            var head = (await host.Services.GetRequiredService<VerifyAudit>().HeadAsync(ct)).ToString();
            Console.WriteLine(parsed.GetValue(Output.Json) ? Json.Write(new { Head = head }) : head);
            return 0;
        });
        return command;
    }

    private static Command Verify(Option<string?> data, Option<bool> json)
    {
        var file = new Option<string?>("--file") { Description = "An export to check instead of the database. That its end was cut off shows only against a noted head." };
        var heads = new Option<string[]>("--head") { Description = "A head noted earlier, number:hash; may be given several times.", AllowMultipleArgumentsPerToken = true };
        var command = new Command("verify", "Reads the whole chain: exit code 0 when it is intact, 1 when an entry was edited, deleted, slipped in or moved.") { file, heads, data };
        command.SetAction(async (parsed, ct) =>
        {
            AuditHeadNote[] noted = [.. (parsed.GetValue(heads) ?? []).Select(AuditHeadNote.Parse)];
            AuditChainReport report;
            if (parsed.GetValue(file) is { } path)
                report = await VerifyAudit.VerifyFileAsync(path, noted, ct);
            else
            {
                using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
                report = await host.Services.GetRequiredService<VerifyAudit>().VerifyAsync(noted, ct);
            }
            if (parsed.GetValue(json))
                Console.WriteLine(Json.Write(report));
            else
            {
                AnsiConsole.MarkupLineInterpolated($"{report.Words}");
                foreach (var problem in report.Problems.Skip(1))
                    AnsiConsole.MarkupLineInterpolated($"  {problem.What}");
            }
            return report.IsIntact ? 0 : 1;
        });
        return command;
    }

    private static Command Export(Option<string?> data)
    {
        var command = new Command("export", "Prints every entry in the order of the chain, one JSON object a line.") { data };
        command.SetAction(async (parsed, ct) =>
        {
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
            await foreach (var entry in host.Services.GetRequiredService<VerifyAudit>().ExportAsync(ct))
                Console.WriteLine(JsonSerializer.Serialize(entry, Json.Options));
            return 0;
        });
        return command;
    }
}
