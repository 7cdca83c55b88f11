using System.CommandLine;
using System.Globalization;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Promotion.Attestations;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>Checks a signed statement where the server has no say: with files and a public key only.</summary>
internal static class VerifyCommand
{
    private sealed record Answer(bool Good, IReadOnlyList<string> Mismatches, IReadOnlyList<string> Checked, PromotionPredicate? Promotion);

    public static Command Create()
    {
        var envelope = new Argument<string>("envelope") { Description = "The statement, as it was downloaded; or the history of an alias, one envelope a line." };
        var keys = new Option<string[]>("--key") { Description = "Public key in PEM form; may be given several times when the key was rotated.", AllowMultipleArgumentsPerToken = true };
        var artifact = new Option<string?>("--artifact") { Description = "Folder with the files that were promoted." };
        var form = new Option<string?>("--form") { Description = "Which files the folder holds: checkpoint, or the variant, which is the default." };
        var bundle = new Option<string?>("--bundle") { Description = "The bundle of evidence, as it was downloaded." };
        var json = Output.Json;
        var command = new Command("verify", "Checks a signed statement about a promotion. Exit code 0: all is as it was signed, 1: it is not, 2: an input cannot be used.") { envelope, keys, artifact, form, bundle };
        command.SetAction(parsed =>
        {
            AttestationReport report;
            try
            {
                report = VerifyAttestationFiles.Verify(new(parsed.GetValue(envelope)!, parsed.GetValue(keys) ?? [], parsed.GetValue(artifact), parsed.GetValue(form), parsed.GetValue(bundle)));
            }
            catch (LlmOpsException e)
            {
                Console.Error.WriteLine($"{e.Code.WireName()} {Plain(e.Message)}");
                return 2;
            }
            if (parsed.GetValue(json))
                Console.WriteLine(Json.Write(new Answer(report.IsGood, report.Mismatches, report.Checked, report.Statement?.Predicate)));
            else
                Print(report);
            return report.IsGood ? 0 : 1;
        });
        return command;
    }

    private static void Print(AttestationReport report)
    {
        if (!report.IsGood)
        {
            AnsiConsole.MarkupLineInterpolated($"[red]Not as it was signed.[/] Checked: {Plain(string.Join(", ", report.Checked))}.");
            foreach (var mismatch in report.Mismatches)
                Line(mismatch);
            return;
        }
        var said = report.Statement!.Predicate;
        AnsiConsole.MarkupLineInterpolated($"[green]As it was signed.[/] Checked: {Plain(string.Join(", ", report.Checked))}.");
        Line($"{said.Version} {said.Variant} to {said.Alias}, {said.Kind.ToLowerInvariant()}, {Time(said.PromotedAt)}");
        Line($"asked for by {said.RequestedBy.Name}, signed by {string.Join(", ", said.Signers.Select(s => $"{s.Name}{(s.OnBehalfOf is null ? "" : $" for {s.OnBehalfOf}")} {Time(s.At)}"))}");
        Line($"gate: {said.Gate?.Verdict ?? "none"}; evidence sha256:{said.EvidenceDigest}");
        if (said.Override)
            AnsiConsole.MarkupLineInterpolated($"  [red]OVERRIDE[/] of the environment's rules: {Plain(said.Reason ?? "")}");
    }

    private static void Line(string text) => Console.WriteLine("  " + Plain(text));

    /// <summary>Names come from files that somebody else made: none may move the cursor or turn the line and so write another answer.</summary>
    private static string Plain(string text) =>
        string.Concat(text.Select(c => char.IsControl(c) || char.GetUnicodeCategory(c) is UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator ? '\uFFFD' : c));

    private static string Time(DateTime time) => time.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);
}
