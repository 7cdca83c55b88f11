using System.CommandLine;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;

namespace LlmOps.Cli;

/// <summary>How a deployment's traffic compares with its past.</summary>
internal static class DriftCommand
{
    public static Command Create()
    {
        var name = new Argument<string>("deployment") { Description = "Name of the deployment." };
        var last = new Option<bool>("--last") { Description = "The checks that were made, instead of a new one." };
        var watch = new Option<bool?>("--watch") { Description = "Has the server look regularly (true), or no longer (false); by the policy that the deployment has." };
        var command = new Command("drift", "Compares a deployment's newest traces with those before: lengths, latency, refusals, meaning.") { name, last, watch, ServerCommands.Server };
        command.SetAction((parsed, ct) =>
        {
            var path = $"/deployments/{Uri.EscapeDataString(parsed.GetValue(name)!)}/drift";
            if (parsed.GetValue(watch) is { } enabled)
                return ServerCommands.SendAsync(parsed, HttpMethod.Put, path, JsonContent.Create(new { enabled }), ct, _ => Console.WriteLine(enabled ? "The server looks regularly." : "The server does not look by itself."));
            return parsed.GetValue(last) ? ServerCommands.SendAsync(parsed, HttpMethod.Get, path, null, ct, Checks) : ServerCommands.SendAsync(parsed, HttpMethod.Post, path, null, ct, Report);
        });
        return command;
    }

    private static void Checks(JsonElement state)
    {
        Console.WriteLine(state.GetProperty("watched").GetBoolean() ? $"The server looks every {state.GetProperty("policy").Text("every_hours")} hours." : "The server does not look by itself.");
        if (state.GetProperty("checks").GetArrayLength() == 0)
            Console.WriteLine("Nothing was looked at yet.");
        else
            ServerCommands.Table(state.GetProperty("checks").EnumerateArray(), ("at", c => c.Time("at")), ("verdict", c => Verdict(c.Text("verdict"))), ("words", c => c.GetProperty("report").Text("words")));
    }

    private static void Report(JsonElement report)
    {
        Console.WriteLine(report.Text("words"));
        if (report.GetProperty("measures").GetArrayLength() > 0)
            ServerCommands.Table(report.GetProperty("measures").EnumerateArray(), ("what", m => m.Text("name")), ("measure", m => m.Text("method")), ("before", m => Number(m, "baseline")), ("now", m => Number(m, "window")), ("value", m => Number(m, "value")),
                ("interval", m => Number(m, "low") is { Length: > 0 } low ? $"{low} to {Number(m, "high")}" : ""), ("tolerated", m => Number(m, "threshold")), ("p", m => Number(m, "p_value")), ("n", m => $"{m.Text("baseline_count")}, {m.Text("window_count")}"), ("verdict", m => Verdict(m.Text("verdict"))));
        foreach (var found in report.GetProperty("examples").EnumerateArray())
            Console.WriteLine($"{found.Text("name")}: {found.Text("why")} Traces {string.Join(", ", found.GetProperty("traces").EnumerateArray().Select(t => t.Text("trace_id")))}");
    }

    private static string Verdict(string verdict) => verdict switch { "Fail" => "drifted", "Pass" => "as before", _ => "cannot tell" };

    private static string Number(JsonElement measure, string name) => measure.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble().ToString("0.####", CultureInfo.InvariantCulture) : "";
}
