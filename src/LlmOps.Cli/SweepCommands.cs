using System.CommandLine;
using System.Globalization;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Sweeps;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>Sweeps from a terminal or a CI job.</summary>
internal static class SweepCommands
{
    public static Command Create() => new("sweep", "Searches the parameters of a training stage.") { Start(), List(), Show(), Stop() };

    private static Option<string?> Data() => new("--data-folder") { Description = "Data folder; the default is in your home." };

    private static Command Start()
    {
        var file = new Argument<string>("file") { Description = "Sweep in YAML." };
        var (json, data) = (Output.Json, Data());
        var command = new Command("start", "Starts a sweep and carries it out. Run again after an interruption, it goes on with the trials that are missing.") { file, data };
        command.SetAction((parsed, ct) => RunAsync(parsed.GetValue(file)!, parsed.GetValue(json), parsed.GetValue(data), ct));
        return command;
    }

    private static async Task<int> RunAsync(string path, bool json, string? data, CancellationToken interrupted)
    {
        if (!File.Exists(path))
            throw LlmOpsException.Invalid($"The file '{path}' does not exist.");
        var yaml = await File.ReadAllTextAsync(path, interrupted);
        using var host = await LocalHost.BuildAsync(data, worker: true, interrupted);
        var actor = await SuiteCommands.ActorAsync(host.Services, interrupted);
        await EnsurePipelineAsync(host.Services, SweepDocument.PipelineOf(yaml), actor, interrupted);
        var document = await host.Services.GetRequiredService<StartSweep>().CheckAsync(yaml, interrupted);
        var read = host.Services.GetRequiredService<ReadSweeps>();
        // One of this name that is not over is the same question, asked before somebody pulled the plug.
        var open = await read.ListAsync(new(document.Name), SweepState.Running, interrupted);
        if (open.Rows.All(r => r.Name != document.Name))
            await host.Services.GetRequiredService<StartSweep>().StartAsync(yaml, actor, interrupted);
        await host.StartAsync(interrupted);
        try
        {
            var sweep = await FollowAsync(read, document.Name, json, interrupted);
            Print(sweep, json);
            return sweep.Row.State == SweepState.Succeeded ? 0 : 1;
        }
        catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
        {
            AnsiConsole.MarkupLine("[yellow]Interrupted.[/] What was measured is kept; run the same command again to go on.");
            return 130;
        }
        finally
        {
            await host.StopAsync(CancellationToken.None);
        }
    }

    /// <summary>A pipeline that ships with the product need not be saved first.</summary>
    private static async Task EnsurePipelineAsync(IServiceProvider services, string name, Actor actor, CancellationToken ct)
    {
        if (!(await services.GetRequiredService<ReadPipelines>().NamesAsync(ct)).Contains(name))
            await services.GetRequiredService<StartPipeline>().DefineAsync(ShippedPipelines.Read(name), name, actor, ct);
    }

    private static async Task<SweepDetail> FollowAsync(ReadSweeps read, string name, bool quiet, CancellationToken ct)
    {
        var said = new HashSet<int>();
        while (true)
        {
            var sweep = await read.GetAsync(name, ct);
            foreach (var trial in sweep.Trials.Where(t => !quiet && t.State is not (TrialState.Planned or TrialState.Running) && said.Add(t.Number)))
                AnsiConsole.MarkupLineInterpolated($"trial {trial.Number} of {sweep.Row.Runs}: {Parameters(sweep, trial)} → {(trial.Value is { } v ? $"{sweep.Metric.Name} {Number(v)}" : $"{trial.State}: {trial.Error}")}{Began(trial)}");
            if (sweep.Row.State != SweepState.Running)
                return sweep;
            await Task.Delay(250, ct);
        }
    }

    private static Command List()
    {
        var (json, data) = (Output.Json, Data());
        var command = new Command("list", "Lists the sweeps, newest first.") { data };
        command.SetAction(async (parsed, ct) =>
        {
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
            var sweeps = await host.Services.GetRequiredService<ReadSweeps>().ListAsync(new(Take: Window<SweepRow>.Largest), ct: ct);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(Json.Write(sweeps));
                return 0;
            }
            var table = new Table().Border(TableBorder.Rounded).AddColumns("Sweep", "State", "Searches", "Method", "Trials", "Metric", "Best");
            foreach (var s in sweeps.Rows)
                table.AddRow(s.Name, s.State.ToString(), $"{s.Pipeline}: {s.Stage}", s.Method, $"{s.Over} of {s.Runs}", s.Metric.EscapeMarkup(), s.Best is { } best ? Number(best) : "–");
            AnsiConsole.Write(table);
            return 0;
        });
        return command;
    }

    private static Command Show()
    {
        var name = new Argument<string>("name");
        var (json, data) = (Output.Json, Data());
        var command = new Command("show", "Shows a sweep's trials, the best one, and what each parameter has to do with the result.") { name, data };
        command.SetAction(async (parsed, ct) =>
        {
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
            Print(await host.Services.GetRequiredService<ReadSweeps>().GetAsync(parsed.GetValue(name)!, ct), parsed.GetValue(json));
            return 0;
        });
        return command;
    }

    private static Command Stop()
    {
        var name = new Argument<string>("name");
        var data = Data();
        var command = new Command("stop", "Starts no further trial and cancels those that run. What was measured stays.") { name, data };
        command.SetAction(async (parsed, ct) =>
        {
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
            await host.Services.GetRequiredService<StopSweep>().StopAsync(parsed.GetValue(name)!, await SuiteCommands.ActorAsync(host.Services, ct), ct);
            Output.Say(parsed, new { Sweep = parsed.GetValue(name), Stopped = true }, $"{parsed.GetValue(name)} was stopped.");
            return 0;
        });
        return command;
    }

    private static void Print(SweepDetail sweep, bool json)
    {
        if (json)
        {
            Console.WriteLine(Json.Write(new { Sweep = sweep.Row, sweep.Error, Space = sweep.Space.Dimensions, sweep.Metric, Best = sweep.Best?.Number, sweep.Trials, sweep.Importance }));
            return;
        }
        var table = new Table().Border(TableBorder.Rounded).AddColumn("Trial");
        if (sweep.Trials.Any(t => t.Rung > 0))
            table.AddColumn("Rung");
        table.AddColumns([.. sweep.Columns]).AddColumns(sweep.Metric.Name.EscapeMarkup(), "State");
        foreach (var t in sweep.Trials)
            table.AddRow([$"{t.Number}{(t == sweep.Best ? " best" : "")}", .. sweep.Trials.Any(x => x.Rung > 0) ? new[] { $"{t.Rung}" } : [], .. sweep.Columns.Select(c => $"{t.Parameters[c]}".EscapeMarkup()),
                t.Value is { } v ? Number(v) : "–", $"{t.State}{(t.Error is null ? Began(t) : $": {t.Error}")}".EscapeMarkup()]);
        AnsiConsole.Write(table);
        foreach (var p in sweep.Importance)
            AnsiConsole.MarkupLineInterpolated($"{p.Name}: {(p.Correlation is { } r ? $"{(p.HasDirection ? "rank correlation" : "correlation ratio of ranks")} {r:0.00} over {p.Trials} trials, p = {p.Chance:0.000}{(p.IsClear ? "" : ": cannot tell it from chance")}" : $"nothing can be said from {p.Trials} trials")}");
        AnsiConsole.MarkupLineInterpolated($"{sweep.Row.Name} {sweep.Row.State}{(sweep.Error is null ? "" : $": {sweep.Error}")}");
        if (sweep.Best is { } best)
            AnsiConsole.MarkupLineInterpolated($"Best: trial {best.Number}, {sweep.Metric.Name} {Number(best.Value!.Value)} with {Parameters(sweep, best)}");
    }

    private static string Parameters(SweepDetail sweep, TrialRow trial) => string.Join(", ", sweep.Columns.Where(c => trial.Parameters[c] is not null).Select(c => $"{c} {trial.Parameters[c]}"));

    /// <summary>Of a promoted trial, what of it had been done before.</summary>
    private static string Began(TrialRow trial) => trial.ContinuesFromStep is { } step ? $" (went on from step {step} of trial {trial.PromotedFrom})" : trial is { State: TrialState.Succeeded, Error: { } why } ? $" ({why})" : "";

    private static string Number(double value) => value.ToString("G5", CultureInfo.InvariantCulture);
}
