using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>Evaluation runs of a server against the first of them.</summary>
internal static class CompareCommand
{
    public static Command Create()
    {
        var runs = new Argument<string[]>("runs") { Description = "Two to six: ids, or name/number:variant, whose newest run is meant. The first is what the others are compared with.", Arity = new(2, 6) };
        var suite = new Option<string?>("--suite") { Description = "Suite whose runs are meant, name/number." };
        var fail = new Option<bool>("--fail-on-regression") { Description = "Exit code 1 when a metric is worse and its interval excludes no difference." };
        var json = Output.Json;
        var command = new Command("compare", "Compares evaluation runs on the rows they share: difference, 95 % interval, p, rows that moved.") { runs, suite, fail, ServerCommands.Server };
        command.SetAction(async (parsed, ct) =>
        {
            using var connection = ServerConnection.Open(parsed);
            var named = Uri.EscapeDataString(string.Join(',', parsed.GetValue(runs)!));
            var of = parsed.GetValue(suite) is { Length: > 0 } asked ? $"&suite={Uri.EscapeDataString(asked)}" : "";
            var answers = await connection.GetAsync($"/evaluations/comparison?runs={named}{of}", ct);
            if (parsed.GetValue(json))
                Console.WriteLine(ServerCommands.Pretty(answers));
            var worse = false;
            foreach (var answer in answers.EnumerateArray())
            {
                worse |= answer.GetProperty("metrics").EnumerateArray().Any(m => m.GetProperty("judgement").GetInt32() < 0);
                if (parsed.GetValue(json))
                    continue;
                AnsiConsole.MarkupLineInterpolated($"[bold]{Name(answer.GetProperty("b"))}[/] against {Name(answer.GetProperty("a"))}");
                ServerCommands.Table(answer.GetProperty("metrics").EnumerateArray(), ("metric", m => m.GetProperty("task").Text("full_name")), ("before", m => Number(m.GetProperty("a"))), ("now", m => Number(m.GetProperty("b"))),
                    ("difference [95 %]", m => Interval(m.GetProperty("difference"))), ("p", m => Number(m.GetProperty("adjusted_p_value"))), ("better / worse rows", m => $"{m.Text("improved")} / {m.Text("regressed")}"),
                    ("verdict", m => m.GetProperty("judgement").GetInt32() switch { > 0 => "better", < 0 => "worse", _ => "cannot tell" }));
                foreach (var metric in answer.GetProperty("incomparable").EnumerateObject())
                    AnsiConsole.MarkupLineInterpolated($"[grey]{metric.Name} is not compared: {metric.Value.GetString()}[/]");
            }
            return worse && parsed.GetValue(fail) ? 1 : 0;
        });
        return command;
    }

    private static string Name(JsonElement row) => $"{row.Text("version")}:{row.Text("variant")} ({row.Text("suite")})";

    private static string Interval(JsonElement d) => $"{Number(d.GetProperty("value"))} [{Number(d.GetProperty("low"))}, {Number(d.GetProperty("high"))}]";

    private static string Number(JsonElement value) => value.ValueKind == JsonValueKind.Number ? value.GetDouble().ToString("0.####", CultureInfo.InvariantCulture) : value.ToString();
}
