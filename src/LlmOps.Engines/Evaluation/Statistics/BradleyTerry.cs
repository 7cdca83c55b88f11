namespace LlmOps.Engines.Evaluation.Statistics;

/// <summary>One comparison of two players.</summary>
/// <param name="First">Index of a player.</param>
/// <param name="Second">Index of another.</param>
/// <param name="Score">1: the first won; 0: the second; 0.5: a tie.</param>
public readonly record struct Duel(int First, int Second, double Score);

/// <summary>Strengths from pairwise wins (Bradley and Terry 1952), whatever their order; Elo depends on it.</summary>
public static class BradleyTerry
{
    /// <summary>
    /// Ratings 400·log10 p + 1000 by the MM iteration p_i ← W_i / Σ_j n_ij / (p_i + p_j) (Hunter 2004), until nothing moves by 1e-10 of itself; then scaled to geometric mean 1.
    /// Each player also has half a win and half a loss against a player of strength 1, so that somebody who never lost stays finite.
    /// </summary>
    /// <param name="players">Number of players.</param>
    /// <param name="duels">Comparisons.</param>
    /// <exception cref="ArgumentException">An index is out of range, a player meets itself, or a score is outside 0 to 1.</exception>
    public static double[] Ratings(int players, IReadOnlyList<Duel> duels)
    {
        var wins = new double[players];
        var met = new double[players, players];
        foreach (var (first, second, score) in duels)
        {
            if ((uint)first >= (uint)players || (uint)second >= (uint)players || first == second || score is not (>= 0 and <= 1))
                throw new ArgumentException($"Player {first} against {second} with score {score} is no comparison of {players} players.");
            wins[first] += score;
            wins[second] += 1 - score;
            met[first, second]++;
            met[second, first]++;
        }
        var p = Enumerable.Repeat(1.0, players).ToArray();
        for (var round = 0; round < 100_000; round++)
        {
            var next = new double[players];
            for (var i = 0; i < players; i++)
            {
                var sum = 1 / (p[i] + 1);
                for (var j = 0; j < players; j++)
                    sum += met[i, j] / (p[i] + p[j]);
                next[i] = (wins[i] + 0.5) / sum;
            }
            var moved = next.Zip(p).Max(pair => Math.Abs(pair.First - pair.Second) / pair.Second);
            p = next;
            if (moved < 1e-10)
                break;
        }
        // The scale at the end only: while iterating, the player of strength 1 gives it.
        var mean = p.Average(Math.Log10);
        return [.. p.Select(x => 400 * (Math.Log10(x) - mean) + 1000)];
    }

    /// <summary>Ratings with 95 % intervals: the comparisons are drawn again, whole prompts at a time.</summary>
    /// <param name="players">Number of players.</param>
    /// <param name="prompts">For each prompt its comparisons.</param>
    /// <param name="resamples">Number of resamples.</param>
    /// <param name="seed">Seed of the resampling.</param>
    public static Estimate[] Intervals(int players, IReadOnlyList<IReadOnlyList<Duel>> prompts, int resamples = 1000, int seed = 0)
    {
        if (prompts.Count == 0)
            throw new ArgumentException("There is no comparison.");
        var ratings = Ratings(players, [.. prompts.SelectMany(d => d)]);
        var drawn = new double[resamples][];
        Parallel.For(0, resamples, r =>
        {
            var random = new Resampling.Stream(((ulong)(uint)seed << 32) | (uint)r);
            var duels = new List<Duel>();
            for (var i = 0; i < prompts.Count; i++)
                duels.AddRange(prompts[random.Below(prompts.Count)]);
            drawn[r] = Ratings(players, duels);
        });
        return [.. ratings.Select((value, i) =>
        {
            var sorted = drawn.Select(d => d[i]).Order().ToArray();
            return new Estimate(value, sorted[(int)(0.025 * (resamples - 1))], sorted[(int)(0.975 * (resamples - 1))], prompts.Count);
        })];
    }
}
