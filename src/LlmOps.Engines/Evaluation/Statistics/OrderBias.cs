namespace LlmOps.Engines.Evaluation.Statistics;

/// <summary>What a pairwise judge said of one prompt, asked in both orders.</summary>
/// <param name="First">Asked (A, B): 1 when it prefers A, 0 when B, 0.5 for a tie.</param>
/// <param name="Swapped">Asked (B, A): again 1 when it prefers A.</param>
/// <param name="LengthDifference">Length of A minus length of B, in characters.</param>
public readonly record struct BothOrders(double First, double Swapped, double LengthDifference);

/// <summary>Whether a pairwise judge looks at place and length instead of the answer.</summary>
/// <param name="FirstWins">Share of decided questions that the answer shown first wins, with its 95 % interval; null when none was decided.</param>
/// <param name="Consistency">Share of prompts on which both orders give the same answer.</param>
/// <param name="LongerWins">Share of prompts decided in both orders that the longer answer wins; null when none was.</param>
/// <param name="WinRate">Win rate of A, a prompt whose orders disagree being half a win, with its bootstrap interval over prompts.</param>
/// <param name="Prompts">Number of prompts.</param>
public sealed record OrderBias(Estimate? FirstWins, double Consistency, Estimate? LongerWins, Estimate WinRate, int Prompts)
{
    /// <summary>A first place that wins this much more or less than half the time is alarming.</summary>
    public const double Alarm = 0.1;

    /// <summary>Whether place alone moves the verdict by more than <see cref="Alarm"/>.</summary>
    public bool IsBiased => FirstWins is { } f && Math.Abs(f.Value - 0.5) > Alarm;

    /// <summary>Reads the verdicts of a judge.</summary>
    /// <param name="verdicts">One for each prompt, at least one.</param>
    /// <param name="resamples">Resamples of the win rate.</param>
    /// <param name="seed">Seed of the resampling.</param>
    /// <exception cref="ArgumentException">There is no verdict.</exception>
    public static OrderBias Of(IReadOnlyList<BothOrders> verdicts, int resamples = 10_000, int seed = 0)
    {
        if (verdicts.Count == 0)
            throw new ArgumentException("There is no verdict to look at.");
        int first = 0, decided = 0, same = 0, longer = 0, unequal = 0;
        var scores = new double[verdicts.Count];
        for (var i = 0; i < verdicts.Count; i++)
        {
            var (ab, ba, length) = verdicts[i];
            first += (ab == 1 ? 1 : 0) + (ba == 0 ? 1 : 0);
            decided += (ab == 0.5 ? 0 : 1) + (ba == 0.5 ? 0 : 1);
            scores[i] = ab == ba ? ab : 0.5;
            if (ab != ba)
                continue;
            same++;
            if (ab == 0.5 || length == 0)
                continue;
            unequal++;
            longer += (ab == 1) == (length > 0) ? 1 : 0;
        }
        return new(decided == 0 ? null : Wilson.Interval(first, decided), same / (double)verdicts.Count, unequal == 0 ? null : Wilson.Interval(longer, unequal),
            Bootstrap.Mean(scores, resamples, seed), verdicts.Count);
    }
}
