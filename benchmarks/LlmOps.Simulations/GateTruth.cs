using System.Diagnostics;
using LlmOps.Engines.Evaluation.Statistics;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Simulations;

/// <summary>How often the gate is wrong where the truth is known, and how often it finds what is there.</summary>
internal static class GateTruth
{
    private const double Alpha = 0.05;
    private static readonly EvaluationTask[] Shares = [.. Enumerable.Range(1, 4).Select(i => new EvaluationTask($"task{i}", "acc", "share", true, Proportion: true))];
    private static readonly EvaluationTask Bits = new("corpus", "bits_per_byte", "bits/byte", false, IsRatio: true);
    private static readonly EvaluationTask Mean = new("scores", "mean", "points", true);

    private sealed record Row(string World, string Rate, double Expected, double Found, int Simulations, bool IsContrast = false, bool AtMost = false)
    {
        public double Error => 1.96 * Math.Sqrt(Found * (1 - Found) / Simulations);
        public bool Holds => IsContrast || (AtMost ? Found <= Expected + 0.005 : Math.Abs(Found - Expected) <= 0.005);
    }

    public static void Print(int simulations, string picture)
    {
        var clock = Stopwatch.StartNew();
        List<Row> rows =
        [
            new("A/A, shares, 1,000 rows, 20 % discordant", "refused", Alpha, Rate(simulations, r => Verdict(Policy(1, false, Shares[0]), Aa(Shares[0], 1000, r)) == LlmOps.Lifecycle.Promotion.Verdict.Fail), simulations),
            new("A/A, skewed scores, 1,000 rows", "refused", Alpha, Rate(simulations, r => Verdict(Policy(1, false, Mean), AaScores(1000, r)) == LlmOps.Lifecycle.Promotion.Verdict.Fail), simulations),
        ];
        var holm = Policy(1, true, Shares);
        var plain = Policy(1, false, Shares);
        var families = Count(simulations, 2, r =>
        {
            var four = Shares.Select(t => Aa(t, 1000, r)).ToArray();
            return [Fails(holm, 1, four), Fails(plain, 1, four)];
        });
        rows.Add(new("A/A, four metrics, with Holm", "refused", Alpha, families[0], simulations));
        rows.Add(new("A/A, four metrics, without Holm (contrast)", "refused", 1 - Math.Pow(1 - Alpha, 4), families[1], simulations, true));
        var spending = Policy(5, false, Shares[0]);
        var peeking = Policy(1, false, Shares[0]);
        var looks = Count(simulations, 2, r =>
        {
            var (a, b) = Worlds.Answers(2000, 0.2, 0, r);
            bool spent = false, peeked = false;
            for (var look = 1; look <= 5; look++)
            {
                var seen = Worlds.Compare(Shares[0], a[..(look * 400)], b[..(look * 400)]);
                spent |= Fails(spending, look, seen);
                peeked |= Fails(peeking, 1, seen);
            }
            return [spent, peeked];
        });
        rows.Add(new("A/A, five looks at 400 … 2,000 rows, alpha-spending", "refused", Alpha, looks[0], simulations));
        rows.Add(new("A/A, five looks without alpha-spending (contrast)", "refused", double.NaN, looks[1], simulations, true));
        var both = Policy(5, true, Shares);
        rows.Add(new("A/A, four metrics and five looks, Holm and alpha-spending", "refused", Alpha, Rate(simulations, r =>
        {
            var four = Shares.Select(_ => Worlds.Answers(2000, 0.2, 0, r)).ToArray();
            return Enumerable.Range(1, 5).Any(look => Fails(both, look, [.. Shares.Select((t, i) => Worlds.Compare(t, four[i].A[..(look * 400)], four[i].B[..(look * 400)]))]));
        }), simulations, AtMost: true));
        var margin = Policy(1, false, 0.03, Shares[0]);
        rows.Add(new("worse by exactly the margin of 0.03, 1,000 rows", "passed", Alpha, Rate(simulations, r => Verdict(margin, At(Shares[0], 1000, -0.03, r)) == LlmOps.Lifecycle.Promotion.Verdict.Pass), simulations));
        rows.Add(new("worse by exactly the margin of 0.03, 1,000 rows", "refused", Alpha, Rate(simulations, r => Verdict(margin, At(Shares[0], 1000, -0.03, r)) == LlmOps.Lifecycle.Promotion.Verdict.Fail), simulations));
        var skewed = Policy(1, false, 0.03, Mean);
        rows.Add(new("skewed scores, worse by exactly the margin of 0.03, 1,000 rows", "passed", Alpha, Rate(simulations, r => Verdict(skewed, Scores(1000, -0.03, r)) == LlmOps.Lifecycle.Promotion.Verdict.Pass), simulations));
        rows.Add(new("skewed scores, worse by exactly the margin of 0.03, 1,000 rows", "refused", Alpha, Rate(simulations, r => Verdict(skewed, Scores(1000, -0.03, r)) == LlmOps.Lifecycle.Promotion.Verdict.Fail), simulations));
        var ratio = Policy(1, false, Bits);
        rows.Add(new("A/A, bits per byte over texts of very different lengths, 1,000 rows", "refused", Alpha, Rate(simulations, r =>
        {
            var (a, b, bytes) = Worlds.Bits(1000, r);
            return Fails(ratio, 1, Worlds.CompareRatios(Bits, a, b, bytes));
        }), simulations));
        var sources = Count(simulations, 2, r =>
        {
            var (a, b, names) = Worlds.Clustered(200, r);
            return [Fails(Policy(1, false, Mean), 1, Worlds.CompareClusters(Mean, a, b, names)), Fails(Policy(1, false, Mean), 1, Worlds.CompareClusters(Mean, a, b, null))];
        });
        rows.Add(new("A/A, 200 sources with five rows each, clustered", "refused", Alpha, sources[0], simulations));
        rows.Add(new("A/A, the same rows as if each stood alone (contrast)", "refused", double.NaN, sources[1], simulations, true));
        Console.WriteLine($"{simulations:N0} simulated comparisons each, {Worlds.Resamples:N0} resamples, alpha {Alpha} one-sided\n");
        Console.WriteLine("| world | the gate | expected | found | ± | within 0.5 points |\n|---|---|---|---|---|---|");
        foreach (var row in rows)
            Console.WriteLine($"| {row.World} | {row.Rate} | {(double.IsNaN(row.Expected) ? "more" : $"{(row.AtMost ? "at most " : "")}{row.Expected * 100:f2} %")} | {row.Found * 100:f2} % | {row.Error * 100:f2} | {(row.IsContrast ? "–" : row.Holds ? "yes" : "**no**")} |");
        var curves = Curves(Math.Max(200, simulations / 5));
        Console.WriteLine($"\nPower: how often a loss is found, {Math.Max(200, simulations / 5):N0} simulations a point\n\n| world | rows | true loss | theory | found |\n|---|---|---|---|---|");
        foreach (var c in curves)
            Console.WriteLine($"| {c.World} | {c.Rows:N0} | {c.Effect:0.###} | {c.Theory * 100:f1} % | {c.Found * 100:f1} % |");
        Console.WriteLine($"\nlargest distance from theory: {curves.Max(c => Math.Abs(c.Theory - c.Found)) * 100:f1} points; {clock.Elapsed.TotalSeconds:f0} s");
        File.WriteAllText(picture, PowerPicture.Svg([.. rows.Select(r => (r.World, r.Rate, r.Found, r.IsContrast))], Alpha, curves));
        if (rows.Exists(r => !r.Holds))
            Environment.ExitCode = 1;
    }

    public sealed record Point(string World, int Rows, double Effect, double Theory, double Found);

    private static List<Point> Curves(int simulations)
    {
        var points = new List<Point>();
        foreach (var n in new[] { 200, 1000, 4000 })
        {
            foreach (var loss in new[] { 0, 0.01, 0.02, 0.03, 0.05, 0.08 })
            {
                var share = Policy(1, false, Shares[0]);
                points.Add(new("shares", n, loss, Power.Of(loss, Power.DiscordanceSd((0.2 - loss) / 2, (0.2 + loss) / 2), n, Alpha),
                    Rate(simulations, r => Fails(share, 1, At(Shares[0], n, -loss, r)))));
            }
        }
        foreach (var n in new[] { 200, 1000, 4000 })
        {
            foreach (var loss in new[] { 0, 0.01, 0.02, 0.03, 0.05, 0.08 })
            {
                var scores = Policy(1, false, Mean);
                points.Add(new("scores", n, loss, Power.Of(loss, Worlds.ScoresSd, n, Alpha), Rate(simulations, r =>
                {
                    var (a, b) = Worlds.Scores(n, -loss, r);
                    return Fails(scores, 1, Worlds.Compare(Mean, a, b));
                })));
            }
        }
        return points;
    }

    private static PolicyDocument Policy(int looks, bool holm, params EvaluationTask[] tasks) => Policy(looks, holm, 0, tasks);

    private static PolicyDocument Policy(int looks, bool holm, double margin, params EvaluationTask[] tasks) => new()
    {
        Name = "simulated", Alpha = Alpha, Looks = looks, Correction = holm ? PolicyCorrection.Holm : PolicyCorrection.None,
        Rules = [.. tasks.Select(t => new PolicyRule(PolicyRuleKind.NonInferiority, t.FullName, Bound: margin))],
    };

    private static MetricComparison Aa(EvaluationTask task, int n, Random random) => At(task, n, 0, random);

    private static MetricComparison At(EvaluationTask task, int n, double effect, Random random)
    {
        var (a, b) = Worlds.Answers(n, 0.2, effect, random);
        return Worlds.Compare(task, a, b);
    }

    private static MetricComparison AaScores(int n, Random random) => Scores(n, 0, random);

    private static MetricComparison Scores(int n, double effect, Random random)
    {
        var (a, b) = Worlds.Scores(n, effect, random);
        return Worlds.Compare(Mean, a, b);
    }

    private static Verdict Verdict(PolicyDocument policy, MetricComparison compared) => Worlds.Judge(policy, 1, compared).Verdict;

    private static bool Fails(PolicyDocument policy, int look, params MetricComparison[] compared) => Worlds.Judge(policy, look, compared).Verdict == LlmOps.Lifecycle.Promotion.Verdict.Fail;

    private static double Rate(int simulations, Func<Random, bool> one) => Count(simulations, 1, r => [one(r)])[0];

    // Each simulation has its own seed: the figures are the same on every machine.
    private static double[] Count(int simulations, int answers, Func<Random, bool[]> one)
    {
        var hits = new int[answers];
        Parallel.For(0, simulations, i =>
        {
            var found = one(new Random(i));
            for (var k = 0; k < answers; k++)
                if (found[k])
                    Interlocked.Increment(ref hits[k]);
        });
        return [.. hits.Select(h => h / (double)simulations)];
    }
}
