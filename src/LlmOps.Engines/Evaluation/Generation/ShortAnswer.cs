namespace LlmOps.Engines.Evaluation.Generation;

/// <summary>
/// Short answers against several accepted ones by SQuAD's rules (Rajpurkar et al. 2016, 2018): the best of the references counts.
/// An item without an accepted answer is one that has no answer: only an empty answer is right.
/// </summary>
public static class ShortAnswer
{
    /// <summary>1 if the answer equals a reference after <see cref="AnswerText.Normalise"/>, else 0.</summary>
    public static double ExactMatch(string answer, IReadOnlyList<string> references) => Best(references, r => AnswerText.ExactMatch(answer, r) ? 1 : 0);

    /// <summary>Greatest <see cref="AnswerText.F1"/> over the references, 0 to 1.</summary>
    public static double F1(string answer, IReadOnlyList<string> references) => Best(references, r => AnswerText.F1(answer, r));

    // The official script drops references that are nothing after normalising, and takes "" when none is left.
    private static double Best(IReadOnlyList<string> references, Func<string, double> score)
    {
        var kept = references.Where(r => AnswerText.Normalise(r).Length > 0).ToList();
        return kept.Count == 0 ? score("") : kept.Max(score);
    }
}
