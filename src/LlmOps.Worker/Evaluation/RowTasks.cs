using System.Text;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Evaluation;

namespace LlmOps.Worker.Evaluation;

public sealed record RowTask(string Task, Func<CancellationToken, IReadOnlyList<RowScore>> Measure);

/// <summary>Scores rows with any causal model: the same arithmetic for the training framework and for ONNX Runtime.</summary>
public sealed class RowTasks(ICausalModel model, Tokenizer tokenizer, PromptFormat format, Guid run)
{
    private readonly SequenceScorer scorer = new(model);

    public IEnumerable<RowTask> All(HeldOutRows rows)
    {
        if (rows.Corpus.Count > 0)
            yield return new(EvaluationTasks.Corpus.Name, ct => CorpusBits(rows.Corpus, ct));
        if (rows.Definitions.Count > 0)
            yield return new(EvaluationTasks.Definitions.Name, ct => CompletionBits(rows.Definitions, ct));
        if (rows.Questions.Count > 0)
            yield return new(EvaluationTasks.ExactMatch.Name, ct => ExactMatches(rows.Questions, ct));
        if (rows.Preferences.Count > 0)
            yield return new(EvaluationTasks.Preference.Name, ct => Preferences(rows.Preferences, ct));
    }

    private List<RowScore> CorpusBits(IReadOnlyList<KeyedRow<CorpusText>> rows, CancellationToken ct)
    {
        var scores = scorer.Score([.. rows.Select(r => new ScoreRequest(Fit(format.Document(r.Row.Text)), 1))], null, ct);
        return [.. rows.Zip(scores, (row, score) => Bits(EvaluationTasks.Corpus, row.Key, score, row.Row.Text, null))];
    }

    private List<RowScore> CompletionBits(IReadOnlyList<KeyedRow<PromptCompletion>> rows, CancellationToken ct)
    {
        var scores = scorer.Score([.. rows.Select(r => Request(r.Row.Prompt, r.Row.Completion))], null, ct);
        return [.. rows.Zip(scores, (row, score) => Bits(EvaluationTasks.Definitions, row.Key, score, row.Row.Completion, row.Row.Prompt))];
    }

    /// <summary>−log2 p over the text's UTF-8 bytes. The end-of-text token is predicted too and counts into the bits: knowing when to stop is part of the text.</summary>
    private RowScore Bits(EvaluationTask task, string key, SequenceScore score, string text, string? prompt) => new()
    {
        EvaluationRunId = run, Task = task.Name, RowKey = key, Value = -score.LogProbability / Math.Log(2), Weight = Math.Max(1, Encoding.UTF8.GetByteCount(text)),
        Prompt = prompt, Expected = text,
    };

    /// <summary>1 when the chosen answer is more probable than the rejected one (sums of log-probabilities), ½ never: a tie counts as 0.</summary>
    private List<RowScore> Preferences(IReadOnlyList<KeyedRow<PreferenceExample>> rows, CancellationToken ct)
    {
        var chosen = scorer.Score([.. rows.Select(r => Request(r.Row.Prompt, r.Row.Chosen))], null, ct);
        var rejected = scorer.Score([.. rows.Select(r => Request(r.Row.Prompt, r.Row.Rejected))], null, ct);
        return [.. rows.Select((row, i) => new RowScore
        {
            EvaluationRunId = run, Task = EvaluationTasks.Preference.Name, RowKey = row.Key, Value = chosen[i].LogProbability > rejected[i].LogProbability ? 1 : 0,
            Prompt = row.Row.Prompt, Expected = row.Row.Chosen, Slice = row.Row.RejectedKind,
            Answer = FormattableString.Invariant($"log p chosen {chosen[i].LogProbability:0.00}, rejected {rejected[i].LogProbability:0.00}: {row.Row.Rejected}"),
        })];
    }

    private List<RowScore> ExactMatches(IReadOnlyList<KeyedRow<PromptCompletion>> rows, CancellationToken ct)
    {
        var longest = rows.Max(r => format.Completion(r.Row.Completion).Length) + 2;
        var answers = GreedyAnswers.Generate(model, tokenizer, [.. rows.Select(r => format.Prompt(r.Row.Prompt))], longest, ct);
        return [.. rows.Zip(answers, (row, answer) => new RowScore
        {
            EvaluationRunId = run, Task = EvaluationTasks.ExactMatch.Name, RowKey = row.Key, Value = AnswerText.ExactMatch(answer, row.Row.Completion) ? 1 : 0,
            Prompt = row.Row.Prompt, Expected = row.Row.Completion, Answer = answer, Slice = row.Row.Completion.TrimEnd('.'),
        })];
    }

    private ScoreRequest Request(string prompt, string completion)
    {
        var head = format.Prompt(prompt);
        return new(Fit([.. head, .. format.Completion(completion)]), head.Length);
    }

    /// <summary>Cut at the end: what is longer than the model's context is scored as far as the model can see.</summary>
    private int[] Fit(int[] tokens) => tokens.Length <= model.MaxLength ? tokens : tokens[..model.MaxLength];
}
