using System.CommandLine;
using System.Globalization;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Quickstart;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>Judges from a terminal or a CI job.</summary>
internal static class JudgeCommands
{
    public static Command Create()
    {
        var data = new Option<string?>("--data-folder") { Description = "Data folder; the default is in your home." };
        return new Command("judge", "Models that judge answers.") { Save(data), List(data), Calibrate(data) };
    }

    private static Command Save(Option<string?> data)
    {
        var file = new Argument<string>("file") { Description = "Judge in YAML." };
        var command = new Command("save", "Saves a judge as a new version; the same content again is the version that is there.") { file, data };
        command.SetAction(async (parsed, ct) =>
        {
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
            var path = parsed.GetValue(file)!;
            var yaml = File.Exists(path) ? await File.ReadAllTextAsync(path, ct) : throw LlmOpsException.Invalid($"There is no file {path}.");
            var saved = await host.Services.GetRequiredService<SaveJudge>().SaveAsync(yaml, await SuiteCommands.ActorAsync(host.Services, ct), ct);
            Output.Say(parsed, new { saved.Key, saved.IsNew }, saved.IsNew ? $"Saved {saved.Key}. It is not calibrated yet: llmops judge calibrate {saved.Key} --preferences NAME/NUMBER" : (FormattableString)$"{saved.Key} has this content already.");
            return 0;
        });
        return command;
    }

    private static Command List(Option<string?> data)
    {
        var json = Output.Json;
        var command = new Command("list", "Judges with their calibration.") { data };
        command.SetAction(async (parsed, ct) =>
        {
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
            var judges = await host.Services.GetRequiredService<ReadJudges>().ListAsync(ct);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(Json.Write(judges));
                return 0;
            }
            var table = new Table().Border(TableBorder.Rounded).AddColumns("Judge", "Kind", "Mode", "Agreement with people");
            foreach (var judge in judges)
                table.AddRow(judge.Key.EscapeMarkup(), judge.Document.Kind, judge.Document.Mode, (judge.Calibration is { } c ? Words(c) : "not calibrated").EscapeMarkup());
            AnsiConsole.Write(table);
            return 0;
        });
        return command;
    }

    private static Command Calibrate(Option<string?> data)
    {
        var judge = new Argument<string>("judge") { Description = "Judge version, name/number." };
        var preferences = new Option<string>("--preferences") { Description = "Preference dataset version, name/number.", Required = true };
        var rows = new Option<int>("--max-rows") { Description = "Most rows; 0 is all.", DefaultValueFactory = _ => 200 };
        var least = new Option<double>("--at-least") { Description = "For scores: from which one an answer counts as good; 0 is the middle of the scale." };
        var command = new Command("calibrate", "Asks a judge about answers that people have compared, and says how far it agrees with them. A calibration that was interrupted goes on.") { judge, preferences, rows, least, data };
        command.SetAction(async (parsed, ct) =>
        {
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: true, ct);
            var key = parsed.GetValue(judge)!;
            var parameters = new CalibrateJudgeParameters { Judge = key, Preferences = parsed.GetValue(preferences)!, MaxRows = parsed.GetValue(rows), AtLeast = parsed.GetValue(least) };
            await using var db = await host.Services.GetRequiredService<IDbContextFactory<LlmOpsDb>>().CreateDbContextAsync(ct);
            // What is not over yet is the same question: its verdicts are kept, and nobody pays for them twice.
            var open = await db.Jobs.AsNoTracking().Where(j => j.Kind == "calibrate-judge" && j.StageRunId == null && (j.State == JobState.Queued || j.State == JobState.Running)).ToListAsync(ct);
            var same = open.FirstOrDefault(j => Json.Read<StageSpec>(j.SpecJson).ParametersJson == Json.Write(parameters));
            var id = same?.Id ?? await host.Services.GetRequiredService<StartCalibration>().StartAsync(parameters, await SuiteCommands.ActorAsync(host.Services, ct), ct);
            await host.StartAsync(ct);
            var job = await SuiteCommands.WaitAsync(db, id, false, ct);
            await host.StopAsync(CancellationToken.None);
            if (job.State != JobState.Succeeded)
                throw LlmOpsException.Invalid($"The calibration ended as {job.State}: {job.Error}");
            var parts = key.Split('/');
            var found = await host.Services.GetRequiredService<ReadJudges>().GetAsync(parts[0], int.Parse(parts[1], CultureInfo.InvariantCulture), ct);
            Output.Say(parsed, found.Calibrations[0], $"{key}: {Words(found.Calibrations[0])}");
            return 0;
        });
        return command;
    }

    private static string Words(CalibrationView c) => string.Create(CultureInfo.InvariantCulture,
        $"kappa {(c.Report.Kappa.Value is { } k ? $"{k.ToString("0.00", CultureInfo.InvariantCulture)} ({c.Report.Kappa.Low:0.00} to {c.Report.Kappa.High:0.00})" : "unknown")}, sensitivity {c.Report.Sensitivity:0.00}, specificity {c.Report.Specificity:0.00}, {c.Report.Kappa.N} rows of {c.Dataset}");
}
