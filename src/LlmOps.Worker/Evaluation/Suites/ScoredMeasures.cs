using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using LlmOps.Engines.Evaluation;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Suites;

namespace LlmOps.Worker.Evaluation.Suites;

/// <summary>Kinds that only look at log-probabilities. All requests of a batch of rows are scored together.</summary>
public abstract class ScoredMeasure(SuiteTask task, TaskText text, ICausalModel model) : TaskMeasure(task, text)
{
    private readonly SequenceScorer scorer = new(model);

    protected int MaxLength => model.MaxLength;

    public override IReadOnlyList<RowResult> Measure(IReadOnlyList<PreparedRow> rows, CancellationToken ct)
    {
        var scores = scorer.Score([.. rows.SelectMany(r => r.Requests)], null, ct);
        var (results, at) = (new List<RowResult>(rows.Count), 0);
        foreach (var row in rows)
        {
            results.Add(Read(row, [.. scores.Skip(at).Take(row.Requests.Count)]));
            at += row.Requests.Count;
        }
        return results;
    }

    protected abstract RowResult Read(PreparedRow row, SequenceScore[] scores);
}

public sealed partial class PerplexityMeasure(SuiteTask task, TaskText text, ICausalModel model) : ScoredMeasure(task, text, model)
{
    public override PreparedRow Prepare(SuiteRow row)
    {
        var target = Text.Targets(row.Fields)[0];
        if (target.Length == 0)
            throw new ArgumentException("The text is empty, so there is nothing to predict.");
        var prompt = Task.Prompt.Length == 0 ? null : Text.Prompt(row.Fields);
        return new(row, prompt, [target], prompt is null ? Text.Windows(target, MaxLength) : [Text.Request(prompt, target)], []);
    }

    protected override RowResult Read(PreparedRow row, SequenceScore[] scores)
    {
        var (nats, text) = (-scores.Sum(s => s.LogProbability), row.Expected[0]);
        return new(Values(m => m.Name switch
        {
            "bits_per_byte" => new(m.Name, nats / Math.Log(2), Encoding.UTF8.GetByteCount(text)),
            "greedy" => Share(m, scores.All(s => s.IsGreedy)),
            "word_perplexity" => Perplexity(m, nats, Space().Split(text).Length),
            "byte_perplexity" => Perplexity(m, nats, Encoding.UTF8.GetByteCount(text)),
            _ => Perplexity(m, nats, 1),
        }));
    }

    private static MetricValue Perplexity(SuiteMetric m, double nats, double units) => new(m.Name, nats, units, new RowStatistics([nats, units]));

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}

/// <summary>Multiple choice and classification: the choice with the greatest log-probability.</summary>
public sealed class ChoiceMeasure(SuiteTask task, TaskText text, ICausalModel model) : ScoredMeasure(task, text, model)
{
    public override PreparedRow Prepare(SuiteRow row)
    {
        var (prompt, choices) = (Text.Prompt(row.Fields), Text.Choices(row.Fields));
        var right = Text.RightChoice(row.Fields, choices);
        return new(row, prompt, [choices[right], .. choices], [.. choices.Select(c => Text.Request(prompt, c))], []);
    }

    protected override RowResult Read(PreparedRow row, SequenceScore[] scores)
    {
        var choices = row.Expected.Skip(1).ToList();
        var best = Best(scores, (s, _) => s.LogProbability);
        // By characters as Python counts them, which is lm-evaluation-harness's acc_norm.
        var normalised = Best(scores, (s, i) => s.LogProbability / Math.Max(1, choices[i].EnumerateRunes().Count()));
        return new(Values(m => m.Name switch
        {
            "accuracy_norm" => Share(m, choices[normalised] == row.Expected[0]),
            "macro_f1" => new(m.Name, choices[best] == row.Expected[0] ? 1 : 0, 1, new RowStatistics(Confusion(choices.Count, best, choices.IndexOf(row.Expected[0])))),
            _ => Share(m, choices[best] == row.Expected[0]),
        }), string.Create(CultureInfo.InvariantCulture, $"{choices[best].Trim()} ({string.Join(", ", choices.Zip(scores, (c, s) => string.Create(CultureInfo.InvariantCulture, $"{c.Trim()}: {s.LogProbability:0.00}")))})"));
    }

    /// <summary>For each label: right, predicted, wanted.</summary>
    private static double[] Confusion(int labels, int predicted, int wanted)
    {
        var vector = new double[labels * 3];
        vector[predicted * 3 + 1]++;
        vector[wanted * 3 + 2]++;
        if (predicted == wanted)
            vector[wanted * 3]++;
        return vector;
    }

    private static int Best(SequenceScore[] scores, Func<SequenceScore, int, double> value)
    {
        var best = 0;
        for (var i = 1; i < scores.Length; i++)
            if (value(scores[i], i) > value(scores[best], best))
                best = i;
        return best;
    }
}

public sealed class PreferenceMeasure(SuiteTask task, TaskText text, ICausalModel model) : ScoredMeasure(task, text, model)
{
    public override PreparedRow Prepare(SuiteRow row)
    {
        var (prompt, chosen, rejected) = (Text.Prompt(row.Fields), Text.Chosen(row.Fields), Text.Rejected(row.Fields));
        return new(row, prompt, [chosen, rejected], [Text.Request(prompt, chosen), Text.Request(prompt, rejected)], []);
    }

    protected override RowResult Read(PreparedRow row, SequenceScore[] scores) => new(Values(m => Share(m, scores[0].LogProbability > scores[1].LogProbability)),
        string.Create(CultureInfo.InvariantCulture, $"log p chosen {scores[0].LogProbability:0.00}, rejected {scores[1].LogProbability:0.00}: {row.Expected[1]}"));
}
