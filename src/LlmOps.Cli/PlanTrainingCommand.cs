using System.CommandLine;
using System.Globalization;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Planning;
using Microsoft.Extensions.DependencyInjection;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>What a pipeline's trainings will take, in a terminal before they start.</summary>
internal static class PlanTrainingCommand
{
    public static Command Create()
    {
        var pipeline = new Argument<string>("pipeline") { Description = "YAML file, or name of a pipeline that is defined." };
        var stage = new Option<string?>("--stage") { Description = "Only this stage." };
        var json = Output.Json;
        var data = new Option<string?>("--data-folder") { Description = "Data folder; the default is in your home." };
        var command = new Command("training", "Says how many steps and tokens a pipeline's trainings are, what memory they need, and how long they take at the speed that was measured here.") { pipeline, stage, data };
        command.SetAction(async (parsed, ct) =>
        {
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
            var named = parsed.GetValue(pipeline)!;
            var yaml = File.Exists(named) ? await File.ReadAllTextAsync(named, ct) : (await host.Services.GetRequiredService<ReadPipelines>().GetAsync(named, ct)).Yaml;
            var training = host.Services.GetRequiredService<PlanTraining>();
            var plans = parsed.GetValue(stage) is { Length: > 0 } only ? [await training.PlanAsync(yaml, only, ct)] : await training.PlanAllAsync(yaml, ct);
            if (plans.Count == 0)
                throw LlmOpsException.Invalid("This pipeline has no stage that trains a language model.");
            if (parsed.GetValue(json))
                Console.WriteLine(Json.Write(plans));
            else
                plans.ToList().ForEach(Print);
            return plans.Any(p => p.Fits == false) ? 2 : 0;
        });
        return command;
    }

    private static void Print(TrainingPlan plan)
    {
        AnsiConsole.MarkupLineInterpolated($"[bold]{plan.Stage}[/] ({plan.Kind})");
        if (plan.Estimate is { } e)
        {
            if (plan.LengthKnown)
                AnsiConsole.MarkupLineInterpolated($"  data        {plan.Data}: {N(plan.Rows!.Value)} rows of {plan.Counts!.Mean:0.0} tokens on average (measured on {N(plan.Counts.Rows)} rows)");
            if (plan.LengthKnown)
                AnsiConsole.MarkupLineInterpolated($"  length      {N(e.Steps)} steps = {e.Epochs:0.##} epochs of {N(e.StepsPerEpoch)} = {N(e.Tokens)} tokens");
            AnsiConsole.MarkupLineInterpolated($"  weights     {N(e.Parameters)}, of which {N(e.TrainedParameters)} are trained");
            AnsiConsole.MarkupLineInterpolated($"  memory      {Mb(e.MemoryBytes)}: {string.Join(", ", e.Memory.Select(p => $"{p.Name} {Mb(p.Bytes)}"))}");
            if (plan.Fits == false)
                AnsiConsole.MarkupLineInterpolated($"  [red]does not fit[/]: the largest worker has {Mb(plan.WorkerMemoryBytes!.Value)}. Lower micro_batch, train an adapter, or take a smaller model.");
            if (plan is { LengthKnown: true, Speed: { } speed })
                AnsiConsole.MarkupLineInterpolated($"  time        about {Time(plan.Seconds!.Value)} at {speed.TokensPerSecond:N0} tokens/s, measured in the run {speed.Run} of {speed.At:yyyy-MM-dd}{(speed.Worker is null ? "" : $" on {speed.Worker}")}");
            else if (plan.LengthKnown)
                AnsiConsole.MarkupLineInterpolated($"  time        not measured yet: no training of this kind and size has run here");
        }
        foreach (var note in plan.Notes)
            AnsiConsole.MarkupLineInterpolated($"  [yellow]{note}[/]");
    }

    private static string Time(double seconds) => TimeSpan.FromSeconds(seconds) switch
    {
        { TotalHours: >= 1 } t => $"{(int)t.TotalHours} h {t.Minutes} min",
        { TotalMinutes: >= 1 } t => $"{t.Minutes} min {t.Seconds} s",
        var t => t.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture) + " s",
    };

    private static string N(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Mb(long bytes) => (bytes / 1e6).ToString(bytes < 1e8 ? "0.0" : "N0", CultureInfo.InvariantCulture) + " MB";
}
