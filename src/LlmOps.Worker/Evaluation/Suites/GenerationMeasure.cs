using System.Diagnostics;
using System.Text;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Evaluation.Generation;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Suites;

namespace LlmOps.Worker.Evaluation.Suites;

/// <summary>Answers that the model writes, and every metric of them.</summary>
public sealed class GenerationMeasure(SuiteTask task, TaskText text, AnswerSource answers, int repeat) : TaskMeasure(task, text)
{
    private readonly Dictionary<string, JsonSchema> schemas = task.Metrics.Where(m => m.Options.ContainsKey("schema")).ToDictionary(m => m.Name, m => JsonSchema.Parse(m.Options["schema"]));

    public override int MostRows => answers.MostRows;
    public override int MostTokens => int.MaxValue;

    public override PreparedRow Prepare(SuiteRow row)
    {
        var prompt = Text.Prompt(row.Fields);
        return new(row, prompt, Text.Targets(row.Fields), [], Text.PromptTokens(prompt));
    }

    public override IReadOnlyList<RowResult> Measure(IReadOnlyList<PreparedRow> rows, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        var written = answers.Write([.. rows.Select(r => r.PromptTokens)], [.. rows.Select(r => Seed(r.Row.Key))], Task, ct);
        // Where answers are written together, each is told its share.
        var ms = watch.Elapsed.TotalMilliseconds / rows.Count;
        return [.. rows.Zip(written, (row, answer) => new RowResult(Values(m => Score(m, row, answer, ms)), answer, ms))];
    }

    /// <summary>The same row draws the same in every run of the same repeat, and differently in another one.</summary>
    private int Seed(string key) => RowSeed.Of(key, repeat);

    private MetricValue Score(SuiteMetric m, PreparedRow row, string answer, double ms)
    {
        var references = row.Expected;
        bool Any(Func<string, bool> holds) => m.Options.TryGetValue("text", out var text) ? holds(text) : references.Any(holds);
        return m.Name switch
        {
            "exact_match" => new(m.Name, ShortAnswer.ExactMatch(answer, references)),
            "f1" => new(m.Name, ShortAnswer.F1(answer, references)),
            "equals" => Share(m, Any(t => Loose(m, answer) == Loose(m, t))),
            "contains" => Share(m, Any(t => answer.Contains(t, StringComparison.Ordinal))),
            "contains_ignoring_case" => Share(m, Any(t => answer.Contains(t, StringComparison.OrdinalIgnoreCase))),
            "starts_with" => Share(m, Any(t => answer.StartsWith(t, StringComparison.Ordinal))),
            "regex" => new(m.Name, TextChecks.Matches(answer, m.Options["pattern"])),
            "is_json" => new(m.Name, TextChecks.IsJson(answer, schemas.GetValueOrDefault(m.Name))),
            "contains_json" => new(m.Name, TextChecks.ContainsJson(answer, schemas.GetValueOrDefault(m.Name))),
            "number" => new(m.Name, references.Max(r => NumberAnswer.Match(answer, r, m.Number("tolerance"), m.Number("relative_tolerance")))),
            "rougeLsum" => new(m.Name, Rouge.Lsum(answer, references).F),
            "rouge1" => new(m.Name, Rouge.N(answer, references, 1).F),
            "rouge2" => new(m.Name, Rouge.N(answer, references, 2).F),
            "rougeL" => new(m.Name, Rouge.L(answer, references).F),
            "bleu" => new(m.Name, Bleu.Sentence(answer, references).Value, 1, new RowStatistics(Bleu.Statistics(answer, references).ToVector())),
            "chrf" => Chrf.Statistics(answer, references) is var stats ? new(m.Name, Chrf.Score(stats), 1, new RowStatistics(stats)) : throw new UnreachableException(),
            "assertions" => Share(m, RowAssertions.FirstFailure(row.Row.Fields, answer, ms) is null),
            _ => throw new InvalidOperationException($"{m.Name} is no metric of generation."),
        };
    }

    private static string Loose(SuiteMetric m, string text)
    {
        text = m.Flag("untrimmed") ? text : text.Trim();
        if (m.Flag("ignore_case"))
            text = text.ToLowerInvariant();
        if (!m.Flag("ignore_punctuation"))
            return text;
        var kept = new StringBuilder(text.Length);
        foreach (var c in text)
            if (!(char.IsAscii(c) && (char.IsPunctuation(c) || char.IsSymbol(c))))
                kept.Append(c);
        return kept.ToString();
    }
}
