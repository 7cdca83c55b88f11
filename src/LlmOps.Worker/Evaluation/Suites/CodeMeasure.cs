using System.Diagnostics;
using System.Text.Json.Nodes;
using LlmOps.Engines.Evaluation.Generation;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Evaluation.Suites;

namespace LlmOps.Worker.Evaluation.Suites;

/// <summary>Programs that the model writes: each sample is run with the row's tests, in a process of its own and with limits.</summary>
public sealed class CodeMeasure(SuiteTask task, TaskText text, AnswerSource answers, ModelPrograms allowed, int repeat) : TaskMeasure(task, text)
{
    private const int MostWords = 200;
    private readonly RowTemplate tests = RowTemplate.Parse(task.Tests!);
    private readonly ProgramRunner runner = new(task.Interpreter ?? CodeKind.DefaultInterpreter, Limits(task, allowed));

    /// <summary>A row has samples of its own, and each may take seconds.</summary>
    public override int MostRows => 1;

    private static ProgramLimits Limits(SuiteTask task, ModelPrograms allowed)
    {
        var limits = new ProgramLimits { RequireNoNetwork = allowed != ModelPrograms.Allowed, RequireOwnProcesses = allowed != ModelPrograms.Allowed };
        return limits with { Time = task.TimeoutSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : limits.Time, MemoryBytes = task.MemoryMb is { } mb ? (long)mb << 20 : limits.MemoryBytes };
    }

    public override PreparedRow Prepare(SuiteRow row)
    {
        var prompt = Text.Prompt(row.Fields);
        return new(row, prompt, [tests.Render(row.Fields)], [], Text.PromptTokens(prompt));
    }

    public override IReadOnlyList<RowResult> Measure(IReadOnlyList<PreparedRow> rows, CancellationToken ct) => [.. rows.Select(row => Measure(row, ct))];

    private RowResult Measure(PreparedRow row, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        var samples = Task.Samples ?? 1;
        var programs = answers.Write([.. Enumerable.Repeat(row.PromptTokens, samples)], [.. Enumerable.Range(0, samples).Select(s => RowSeed.Of(row.Row.Key, repeat, s))], Task, ct);
        var outcomes = programs.Select(p => Run(row, p, ct)).ToList();
        var passed = outcomes.Count(o => o.Passed);
        return new(Values(m => new(m.Name, PassAtK.Estimate(samples, passed, MetricKind.K(m.Name)!.Value))), programs[0], watch.Elapsed.TotalMilliseconds, Detail(outcomes, passed));
    }

    private ProgramOutcome Run(PreparedRow row, string answer, CancellationToken ct) =>
        runner.RunAsync(ProgramText.Assemble(row.Prompt!, answer, row.Expected[0]), ct: ct).GetAwaiter().GetResult();

    /// <summary>What became of each sample, and what held while it ran.</summary>
    private static JsonObject Detail(List<ProgramOutcome> outcomes, int passed) => new()
    {
        ["samples"] = outcomes.Count, ["passed"] = passed,
        ["outcomes"] = new JsonArray([.. outcomes.Select(o => (JsonNode)new JsonObject { ["passed"] = o.Passed, ["exit_code"] = o.ExitCode, ["timed_out"] = o.TimedOut, ["ms"] = Math.Round(o.DurationMs), ["error"] = Last(o.Error) })]),
        ["network_denied"] = outcomes.TrueForAll(o => o.NetworkDenied), ["processes_hidden"] = outcomes.TrueForAll(o => o.ProcessesHidden), ["memory_limited"] = outcomes.TrueForAll(o => o.MemoryLimited),
    };

    /// <summary>An interpreter says in the last line what went wrong.</summary>
    private static string Last(string error)
    {
        var line = error.TrimEnd().Split('\n')[^1].Trim();
        return line.Length > MostWords ? line[..MostWords] + "…" : line;
    }
}
