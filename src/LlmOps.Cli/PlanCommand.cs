using System.CommandLine;
using System.Globalization;
using LlmOps.Engines.Planning;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Planning;
using LlmOps.Lifecycle.Quickstart;
using Microsoft.Extensions.DependencyInjection;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>The fit planner in a terminal. Its options are the fields of the question, so that page, API and command line ask the same.</summary>
internal static class PlanCommand
{
    public static Command Create()
    {
        var model = new Argument<string?>("model") { Description = $"Registered version (name/number), or a published shape: {string.Join(", ", KnownShapes.All.Select(s => s.Name))}.", Arity = ArgumentArity.ZeroOrOne };
        var options = FitQuestion.Fields.Where(f => f.Name is not ("version" or "model")).ToDictionary(f => f.Name, f => new Option<string?>("--" + f.Name.Replace('_', '-')) { Description = f.Help });
        var measure = new Option<bool>("--measure") { Description = "Measure this machine first, also when it was measured before." };
        var json = Output.Json;
        var data = new Option<string?>("--data-folder") { Description = "Data folder; the default is in your home." };
        var command = new Command("plan", "Says whether a model fits a machine, how fast it would be in each precision, and what to deploy.") { model, measure, data, PlanTrainingCommand.Create() };
        foreach (var option in options.Values)
            command.Add(option);
        command.SetAction(async (parsed, ct) =>
        {
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
            var named = parsed.GetValue(model) ?? "";
            var question = FitQuestion.Parse([(named.Contains('/', StringComparison.Ordinal) ? "version" : "model", named), .. options.Select(o => (o.Key, parsed.GetValue(o.Value) ?? ""))]);
            var machines = host.Services.GetRequiredService<MeasureMachine>();
            if (parsed.GetValue(measure) || question.Hardware is null or FitQuestion.ThisMachine && await machines.FindAsync(ct) is null)
            {
                var people = await host.Services.GetRequiredService<QuickstartSetup>().EnsureAdministratorAsync(ct);
                await machines.MeasureAsync((await host.Services.GetRequiredService<ManagePeople>().FindActorAsync(people.Administrator.Id, ct))!, ct);
            }
            var answer = await host.Services.GetRequiredService<PlanFit>().AnswerAsync(question, ct);
            if (parsed.GetValue(json))
                Console.WriteLine(Json.Write(answer));
            else
                Print(answer);
            return answer.Plan.Recommendation.Profile == DeploymentProfile.None ? 2 : 0;
        });
        return command;
    }

    private static void Print(FitAnswer answer)
    {
        var (plan, workload) = (answer.Plan, answer.Plan.Workload);
        AnsiConsole.MarkupLineInterpolated($"[bold]{plan.Recommendation.Summary}[/]");
        foreach (var reason in plan.Recommendation.Reasons)
            AnsiConsole.MarkupLineInterpolated($"  {reason}");
        var table = new Table().Border(TableBorder.Rounded).Title($"{plan.Model.Name.EscapeMarkup()} on {plan.Hardware.Name.EscapeMarkup()}: {workload.Users} × {workload.Context} tokens, prompt {workload.Prompt}")
            .AddColumns("Precision", "Weights\nGB", "KV cache\nGB", "Total\nGB", "Fits", "Most\nusers", "Decode\ntokens/s", "…each", "Prefill\ntokens/s", "First\ntoken s");
        foreach (var p in plan.Precisions)
            table.AddRow(p.Precision, Gb(p.WeightBytes), Gb(p.KeyValueBytes), Gb(p.TotalBytes), p.Fits ? "[green]yes[/]" : "[red]no[/]", p.MaxUsers.ToString(CultureInfo.InvariantCulture),
                N(p.DecodeTokensPerSecond), N(p.DecodeTokensPerSecondPerUser), N(p.PrefillTokensPerSecond), p.FirstTokenSeconds.ToString("0.00", CultureInfo.InvariantCulture));
        AnsiConsole.Write(table);
        if (answer.Checks.Count == 0)
            return;
        var checks = new Table().Border(TableBorder.Rounded).Title("Predicted over measured (evaluation's probe: 64 + 32 tokens, one user)").AddColumns("Variant", "Quantity", "Predicted", "Measured", "Ratio");
        foreach (var check in answer.Checks)
            foreach (var line in check.Check.Lines)
                checks.AddRow(check.Variant.EscapeMarkup(), line.Quantity, Value(line.Predicted, line.Unit), Value(line.Measured, line.Unit), line.Ratio.ToString("0.00", CultureInfo.InvariantCulture));
        AnsiConsole.Write(checks);
    }

    private static string Value(double value, string unit) => unit == "bytes" ? $"{Gb(value)} GB" : $"{N(value)} {unit}";

    private static string Gb(double bytes) => (bytes / 1e9).ToString(bytes < 1e9 ? "0.000" : "0.00", CultureInfo.InvariantCulture);

    private static string N(double value) => value.ToString(value < 100 ? "0.0" : "0", CultureInfo.InvariantCulture);
}
