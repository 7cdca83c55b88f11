using System.Text;

namespace LlmOps.Engines.Evaluation.Likelihood;

/// <summary>One choice of a question and how probable a model finds it.</summary>
/// <param name="Text">The choice without the delimiter before it; not empty.</param>
/// <param name="LogProbability">ln p(choice | question).</param>
/// <param name="IsGreedy">Whether greedy decoding would give it.</param>
/// <param name="Unconditional">ln p(choice) without the question, or null if that was not asked.</param>
public sealed record ChoiceLikelihood(string Text, double LogProbability, bool IsGreedy, double? Unconditional = null);

/// <summary>The scores of one question; each is 0 or 1 but for the last.</summary>
/// <param name="Picked">Index of the choice with the greatest likelihood.</param>
/// <param name="Accuracy">acc: the picked choice is right.</param>
/// <param name="AccuracyNormalised">acc_norm: right when likelihoods are divided by characters.</param>
/// <param name="AccuracyPerByte">acc_bytes: right when likelihoods are divided by UTF-8 bytes.</param>
/// <param name="AccuracyMutualInformation">acc_mutual_info: right when the likelihood without the question is subtracted; null if that was not asked.</param>
/// <param name="ExactMatch">A right choice is what greedy decoding gives.</param>
/// <param name="Brier">Σ (p − 1[right])² with p the softmax of the likelihoods, 0 to 2; null if several choices are right.</param>
public sealed record MultipleChoiceScore(
    int Picked, double Accuracy, double AccuracyNormalised, double AccuracyPerByte, double? AccuracyMutualInformation, double ExactMatch, double? Brier);

/// <summary>Multiple choice by likelihood, as in lm-evaluation-harness (<c>multiple_choice</c>). Of equal choices the first is picked.</summary>
public static class MultipleChoice
{
    /// <summary>Scores one question.</summary>
    /// <param name="choices">At least two.</param>
    /// <param name="right">Indices of the right ones, at least one.</param>
    /// <exception cref="ArgumentException">There are too few choices, one is empty or not a number, or an index is out of range.</exception>
    public static MultipleChoiceScore Score(IReadOnlyList<ChoiceLikelihood> choices, params IReadOnlyList<int> right)
    {
        Check(choices, right);
        double Right(Func<ChoiceLikelihood, double> score) => right.Contains(Greatest(choices, score)) ? 1 : 0;
        var mutual = choices.All(c => c.Unconditional is not null);
        return new(
            Greatest(choices, c => c.LogProbability),
            Right(c => c.LogProbability),
            Right(c => c.LogProbability / c.Text.EnumerateRunes().Count()),
            Right(c => c.LogProbability / Encoding.UTF8.GetByteCount(c.Text)),
            mutual ? Right(c => c.LogProbability - c.Unconditional!.Value) : null,
            right.Any(i => choices[i].IsGreedy) ? 1 : 0,
            right.Count == 1 ? Brier(Probabilities(choices), right[0]) : null);
    }

    /// <summary>Softmax of the likelihoods: the model's belief if one of the choices must be right.</summary>
    public static double[] Probabilities(IReadOnlyList<ChoiceLikelihood> choices)
    {
        var max = choices.Max(c => c.LogProbability);
        var weights = choices.Select(c => Math.Exp(c.LogProbability - max)).ToArray();
        var sum = weights.Sum();
        return Array.ConvertAll(weights, w => w / sum);
    }

    /// <summary>Σ over classes of (p − 1[right])²: 0 when sure and right, 2 when sure and wrong (Brier 1950).</summary>
    public static double Brier(IReadOnlyList<double> probabilities, int right) => probabilities.Index().Sum(p => (p.Item - (p.Index == right ? 1 : 0)) * (p.Item - (p.Index == right ? 1 : 0)));

    private static int Greatest(IReadOnlyList<ChoiceLikelihood> choices, Func<ChoiceLikelihood, double> score)
    {
        var best = 0;
        for (var i = 1; i < choices.Count; i++)
            best = score(choices[i]) > score(choices[best]) ? i : best;
        return best;
    }

    private static void Check(IReadOnlyList<ChoiceLikelihood> choices, IReadOnlyList<int> right)
    {
        if (choices.Count < 2)
            throw new ArgumentException($"A question needs at least two choices, not {choices.Count}.");
        if (choices.Index().FirstOrDefault(c => c.Item.Text.Length == 0 || !double.IsFinite(c.Item.LogProbability)) is { Item: not null } bad)
            throw new ArgumentException($"Choice {bad.Index} is empty or its likelihood is not a number.");
        if (right.Count == 0 || right.Any(i => i < 0 || i >= choices.Count))
            throw new ArgumentException($"The right choices are {string.Join(", ", right)}; expected one or more of 0 to {choices.Count - 1}.");
    }
}
