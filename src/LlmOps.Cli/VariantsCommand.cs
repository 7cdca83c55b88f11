using System.CommandLine;
using System.Globalization;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Registry;
using Microsoft.Extensions.DependencyInjection;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>The Pareto front of a version's (or a model's) variants in a terminal.</summary>
internal static class VariantsCommand
{
    public static Command Create()
    {
        var name = new Argument<string>("name") { Description = "Version (name/number), or a model for the variants of all its versions." };
        var quality = new Option<string?>("--quality") { Description = "Metric of quality, for example corpus.bits_per_byte; the first that was measured when left out." };
        var speed = new Option<string?>("--speed") { Description = "Metric of speed, for example decode.tokens_per_second; the latency when left out." };
        var json = Output.Json;
        var data = new Option<string?>("--data-folder") { Description = "Data folder; the default is in your home." };
        var command = new Command("variants", "Compares measured variants by quality, speed and size, and says which of them nothing beats.") { name, quality, speed, data };
        command.SetAction(async (parsed, ct) =>
        {
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
            var (read, of) = (host.Services.GetRequiredService<ReadPareto>(), parsed.GetValue(name)!);
            var view = of.Contains('/', StringComparison.Ordinal)
                ? await read.OfVersionAsync(VersionKey.Parse(of), parsed.GetValue(quality), parsed.GetValue(speed), ct)
                : await read.OfModelAsync(of, parsed.GetValue(quality), parsed.GetValue(speed), ct);
            if (parsed.GetValue(json))
                Console.WriteLine(Json.Write(view));
            else
                Print(of, view);
            return 0;
        });
        return command;
    }

    private static void Print(string of, ParetoView view)
    {
        if (view is { Points.Count: > 0, Quality: { } quality, Speed: { } speed })
        {
            EvaluationTask[] columns = [.. new[] { quality, speed, EvaluationTasks.Prefill, EvaluationTasks.Decode, EvaluationTasks.PeakMemory }.Distinct()];
            var table = new Table().Border(TableBorder.Rounded).Title($"{of.EscapeMarkup()}: value [[95 % interval]], n").AddColumns("Variant", "Front", "Size\nMB");
            foreach (var task in columns)
                table.AddColumn($"{task.Name}\n{(task.Unit == "bytes" ? "MB" : task.Unit)}");
            foreach (var p in view.Points)
                table.AddRow([p.Name.EscapeMarkup(), p.OnFront ? "[green]yes[/]" : "no", (p.SizeBytes / 1e6).ToString("0.0", CultureInfo.InvariantCulture), .. columns.Select(t => Cell(p, t))]);
            AnsiConsole.Write(table);
            foreach (var p in view.Points)
                AnsiConsole.MarkupLineInterpolated($"[bold]{p.Name}[/] {p.Words}");
        }
        foreach (var u in view.Unmeasured)
            AnsiConsole.MarkupLineInterpolated($"[bold]{u.Name}[/] {u.SizeBytes / 1e6:0.0} MB, {u.Missing}");
        if (view.Points.Count + view.Unmeasured.Count == 0)
            AnsiConsole.MarkupLineInterpolated($"{of} has no variant. Export it with an export-onnx stage.");
    }

    private static string Cell(ParetoPoint point, EvaluationTask task)
    {
        if (!point.Metrics.TryGetValue(task.FullName, out var m))
            return "–";
        var scale = m.Unit == "bytes" ? 1e-6 : 1;
        string Number(double value) => (value * scale).ToString(Math.Abs(value * scale) >= 100 ? "0" : "0.000", CultureInfo.InvariantCulture);
        return $"{Number(m.Value)}\n[grey][[{Number(m.Low)}, {Number(m.High)}]], {m.N}[/]";
    }
}
