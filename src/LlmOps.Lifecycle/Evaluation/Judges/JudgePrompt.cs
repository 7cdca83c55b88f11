using System.Text.Json;
using LlmOps.Engines.Text;

namespace LlmOps.Lifecycle.Evaluation.Judges;

/// <summary>The words a judge is asked with.</summary>
public sealed class JudgePrompt
{
    private const string PairwiseText = """
        Two answers to one request are compared.

        Request:
        {{ question }}

        Answer A:
        {{ answer_a }}

        Answer B:
        {{ answer_b }}

        {% if reference %}An answer that is known to be right:
        {{ reference }}

        {% endif %}What counts: {{ criteria }}

        Which answer is better by that alone? The order in which they stand and their length count for nothing. Reply with JSON only, for example {"reason": "one sentence", "verdict": "A"}; the verdict is "A", "B" or "tie".
        """;

    private const string ScoreText = """
        An answer to a request is graded.

        Request:
        {{ question }}

        Answer:
        {{ answer }}

        {% if reference %}An answer that is known to be right:
        {{ reference }}

        {% endif %}What counts: {{ criteria }}

        Grade the answer by that alone, from 1 (bad) to {{ scale }} (as good as can be). Its length counts for nothing. Reply with JSON only, for example {"reason": "one sentence", "score": 1}.
        """;

    private readonly JudgeDocument judge;
    private readonly RowTemplate template;

    public JudgePrompt(JudgeDocument judge)
    {
        this.judge = judge;
        template = RowTemplate.Parse(judge.Prompt.Length > 0 ? judge.Prompt : judge.Mode == JudgeDocument.Pairwise ? PairwiseText : ScoreText);
    }

    /// <exception cref="ArgumentException">The template is malformed, or looks at nothing that is judged.</exception>
    public static void Check(JudgeDocument judge)
    {
        var prompt = new JudgePrompt(judge);
        // With marks in place of the answers it shows whether the judge would see them at all.
        var text = judge.Mode == JudgeDocument.Pairwise ? prompt.Pair("\u0001q", "\u0001a", "\u0001b", null) : prompt.One("\u0001q", "\u0001a", null);
        if (!text.Contains("\u0001a", StringComparison.Ordinal) || (judge.Mode == JudgeDocument.Pairwise && !text.Contains("\u0001b", StringComparison.Ordinal)))
            throw new ArgumentException(judge.Mode == JudgeDocument.Pairwise ? "the prompt has to show {{ answer_a }} and {{ answer_b }}." : "the prompt has to show {{ answer }}.");
    }

    public string Pair(string question, string first, string second, string? reference) => Render(new { question, answer_a = first, answer_b = second, reference = reference ?? "", criteria = judge.Criteria });

    public string One(string question, string answer, string? reference) => Render(new { question, answer, reference = reference ?? "", criteria = judge.Criteria, scale = judge.Scale });

    private string Render(object fields) => template.Render(JsonSerializer.SerializeToElement(fields));
}
