using System.CommandLine;
using System.Globalization;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Quickstart;
using Microsoft.Extensions.DependencyInjection;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>The gate for a CI job: 0 pass, 1 fail, 2 cannot tell.</summary>
internal static class GateCommand
{
    private sealed record Answer(string Version, string? Policy, string Suite, Verdict Verdict, IReadOnlyList<Judged> Variants);

    private sealed record Judged(string Variant, Verdict Verdict, string Words, int Look, int Looks, double Alpha, int? MoreRows, IReadOnlyList<RuleResult> Reasons);

    public static Command Create()
    {
        var version = new Option<string?>("--version") { Description = "Version to judge, name/number." };
        var variant = new Option<string?>("--variant") { Description = "Only this variant; without it every measured variant is judged, and one that passes is enough." };
        var policy = new Option<string?>("--policy") { Description = "Gate policy, name/number, or a name for its newest version." };
        var suite = new Option<string>("--suite") { Description = "Suite whose newest runs are judged.", DefaultValueFactory = _ => "quickstart" };
        var champion = new Option<string>("--champion") { Description = "What to compare with: an alias, or name/number:variant.", DefaultValueFactory = _ => "production" };
        var save = new Option<string?>("--save") { Description = "Save this YAML file as a policy first; it judges when --policy is left out." };
        var plan = new Option<bool>("--plan") { Description = "Judge nothing: say what an evaluation of the suite would be able to show." };
        var rows = new Option<int?>("--rows") { Description = "With --plan: rows of the evaluation; as many as before when left out." };
        var margin = new Option<double?>("--margin") { Description = "With --plan: difference that has to be seen." };
        var json = Output.Json;
        var data = new Option<string?>("--data-folder") { Description = "Data folder; the default is in your home." };
        var server = new Option<string?>("--server") { Description = "Ask this server in place of the data folder here; the policy has to be saved there." };
        var command = new Command("gate", "Judges a version's measurements by a policy. Exit code 0: pass, 1: fail, 2: cannot tell.") { version, variant, policy, suite, champion, save, plan, rows, margin, server, data };
        command.SetAction(async (parsed, ct) =>
        {
            if (parsed.GetValue(server) is { } address)
            {
                if (parsed.GetValue(plan) || parsed.GetValue(save) is not null || parsed.GetValue(version) is null || parsed.GetValue(policy) is null)
                    throw LlmOpsException.Invalid("With --server, name --version and --policy; --plan and --save work on the data folder here.");
                return await AskAsync(address, new { Version = parsed.GetValue(version), Suite = parsed.GetValue(suite), Policy = parsed.GetValue(policy), Champion = parsed.GetValue(champion), Variant = parsed.GetValue(variant) }, parsed.GetValue(json), ct);
            }
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
            var services = host.Services;
            var actor = await ActorAsync(services, ct);
            var named = parsed.GetValue(policy) ?? "";
            if (parsed.GetValue(save) is { } file)
            {
                var saved = await services.GetRequiredService<SavePolicy>().SaveAsync(await File.ReadAllTextAsync(file, ct), actor, ct);
                named = named.Length > 0 ? named : $"{saved.Name}/{saved.Number}";
                if (!parsed.GetValue(json))
                    AnsiConsole.MarkupLineInterpolated($"Policy {saved.Name}/{saved.Number}, digest {saved.Digest[..12]}.");
            }
            if (parsed.GetValue(plan))
            {
                Print(await services.GetRequiredService<PlanEvaluation>().PlanAsync(new(parsed.GetValue(suite)!, parsed.GetValue(rows), named, parsed.GetValue(margin)), ct), parsed.GetValue(json));
                return 0;
            }
            if (parsed.GetValue(version) is not { } judged)
                return parsed.GetValue(save) is null ? throw LlmOpsException.Invalid("Name a version with --version name/number, or ask for a --plan.") : 0;
            if (named.Length == 0)
                throw LlmOpsException.Invalid("Name a policy with --policy name/number, or save one with --save file.yaml.");
            var answer = await services.GetRequiredService<JudgeVersion>().DecideAsync(new(judged, parsed.GetValue(suite)!, parsed.GetValue(champion)!, named, null, parsed.GetValue(variant)), actor, ct);
            var verdict = Overall([.. answer.Variants.Select(v => v.Outcome.Verdict)]);
            Print(new Answer(judged, answer.Policy?.Key, parsed.GetValue(suite)!, verdict, [.. answer.Variants.Select(v => new Judged(v.Candidate.VariantName, v.Outcome.Verdict, v.Outcome.Words, v.Outcome.Look, v.Outcome.Looks, v.Outcome.Alpha, v.Outcome.MoreRows, v.Outcome.Reasons))]), parsed.GetValue(json));
            return ExitCode(verdict);
        });
        return command;
    }

    private static int ExitCode(Verdict verdict) => verdict switch { Verdict.Pass => 0, Verdict.Fail => 1, _ => 2 };

    private static async Task<int> AskAsync(string server, object request, bool json, CancellationToken ct)
    {
        using var connection = ServerConnection.Open(server);
        var answer = await connection.SendAsync(HttpMethod.Post, "/gate", request, ct);
        if (json)
            Console.WriteLine(ServerCommands.Pretty(answer));
        else
            foreach (var one in answer.EnumerateArray())
            {
                AnsiConsole.MarkupLineInterpolated($"[bold]{one.Text("variant")}[/] {one.Text("words")}");
                foreach (var reason in one.GetProperty("reasons").EnumerateArray())
                    AnsiConsole.MarkupLineInterpolated($"  {reason.Text("verdict")} {reason.Text("rule")} — {reason.Text("reason")}");
            }
        return ExitCode(Overall([.. answer.EnumerateArray().Select(v => Enum.Parse<Verdict>(v.Text("verdict")))]));
    }

    /// <summary>One variant that passes can go on; that all fail is certain only when none is open.</summary>
    private static Verdict Overall(IReadOnlyList<Verdict> verdicts) => verdicts.Contains(Verdict.Pass) ? Verdict.Pass : verdicts.Contains(Verdict.CannotTell) ? Verdict.CannotTell : Verdict.Fail;

    private static async Task<Actor> ActorAsync(IServiceProvider services, CancellationToken ct)
    {
        var people = await services.GetRequiredService<QuickstartSetup>().EnsureAdministratorAsync(ct);
        return (await services.GetRequiredService<ManagePeople>().FindActorAsync(people.Administrator.Id, ct))!;
    }

    private static void Print(Answer answer, bool json)
    {
        if (json)
        {
            Console.WriteLine(Json.Write(answer));
            return;
        }
        foreach (var one in answer.Variants)
        {
            AnsiConsole.MarkupLineInterpolated($"[bold]{one.Variant}[/] {one.Words}");
            foreach (var reason in one.Reasons)
                AnsiConsole.MarkupLineInterpolated($"  [{(reason.Verdict switch { Verdict.Pass => "green", Verdict.Fail => "red", _ => "yellow" })}]{reason.Verdict}[/] {reason.Rule} — {reason.Reason}");
        }
    }

    private static void Print(EvaluationPlan plan, bool json)
    {
        if (json)
        {
            Console.WriteLine(Json.Write(plan));
            return;
        }
        AnsiConsole.MarkupLineInterpolated($"{plan.Basis} False-alarm rate {(100 * plan.Alpha).ToString("0.##", CultureInfo.InvariantCulture)} %, one-sided; power {(100 * plan.Power).ToString("0.##", CultureInfo.InvariantCulture)} %.");
        foreach (var metric in plan.Metrics)
            AnsiConsole.MarkupLineInterpolated($"[bold]{metric.Name}[/] {metric.Words}");
    }
}
