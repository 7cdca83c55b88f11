using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Worker.Judging;

namespace LlmOps.Worker.Evaluation.Suites;

/// <summary>A row with what the judge is shown beside the model's answer.</summary>
public sealed record RowToJudge(SuiteRow Row, string Prompt, int[] PromptTokens, string Question, string? Baseline, string? Reference)
    : PreparedRow(Row, Prompt, Baseline is not null ? [Baseline] : Reference is not null ? [Reference] : [], [], PromptTokens);

/// <summary>Answers that the model writes and a judge looks at. A row whose judge fails is missing and the others are not: they are asked again only where they failed.</summary>
public sealed class JudgeMeasure(SuiteTask task, TaskText text, AnswerSource answers, IJudge judge, int repeat) : TaskMeasure(task, text)
{
    private const int MostAtOnce = 32;
    private readonly AskJudge ask = new(judge);
    private readonly RowTemplate? question = task.Question is { } q ? RowTemplate.Parse(q) : null, baseline = task.Baseline is { } b ? RowTemplate.Parse(b) : null;

    public override int MostRows => Math.Min(MostAtOnce, Math.Max(answers.MostRows, judge.Document.Concurrency));
    public override int MostTokens => int.MaxValue;

    public override PreparedRow Prepare(SuiteRow row)
    {
        var prompt = Text.Prompt(row.Fields);
        return new RowToJudge(row, prompt, Text.PromptTokens(prompt), question?.Render(row.Fields) ?? prompt, baseline?.Render(row.Fields), Text.Targets(row.Fields) is [var reference, ..] ? reference : null);
    }

    public override IReadOnlyList<RowResult> Measure(IReadOnlyList<PreparedRow> rows, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        var written = answers.Write([.. rows.Select(r => r.PromptTokens)], [.. rows.Select(r => RowSeed.Of(r.Row.Key, repeat))], Task, ct);
        var ms = watch.Elapsed.TotalMilliseconds / rows.Count;
        var results = new ConcurrentDictionary<int, RowResult>();
        Parallel.ForEachAsync(Enumerable.Range(0, rows.Count), new ParallelOptions { MaxDegreeOfParallelism = judge.Document.Concurrency, CancellationToken = ct },
            async (i, stop) => results[i] = await JudgeAsync((RowToJudge)rows[i], written[i], ms, stop)).GetAwaiter().GetResult();
        return [.. Enumerable.Range(0, rows.Count).Select(i => results[i])];
    }

    private async Task<RowResult> JudgeAsync(RowToJudge row, string answer, double ms, CancellationToken ct)
    {
        try
        {
            var seed = RowSeed.Of(row.Row.Key, repeat);
            var trace = row.Baseline is { } other
                ? await ask.PairAsync(row.Question, answer, other, row.Reference, seed, ct)
                : await ask.OneAsync(row.Question, answer, row.Reference, seed, ct);
            var values = Values(m => m.Name switch
            {
                "win_rate" => new(m.Name, trace.Win),
                "order_consistent" => judge.Document.BothOrders ? Share(m, trace.Consistent) : MetricValue.None(m.Name, "The judge is asked in one order only."),
                "score" => new(m.Name, trace.MeanScore),
                "acceptable" => Share(m, trace.MeanScore >= double.Parse(m.Options[JudgeKinds.AtLeast], CultureInfo.InvariantCulture)),
                _ => throw new InvalidOperationException($"{m.Name} is no metric of {Task.Kind}."),
            });
            return new(values, answer, ms, (JsonObject)JsonSerializer.SerializeToNode(trace, Json.Options)!);
        }
        catch (JudgeFailedException e)
        {
            return new([], answer) { Error = e.Message };
        }
    }
}
