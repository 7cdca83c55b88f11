using LlmOps.Engines.Evaluation;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Lifecycle.Scheduling;

/// <summary>How an alert rule is told to look.</summary>
public sealed record AlertParameters
{
    /// <summary>Of cannot-tell: so many verdicts in a row.</summary>
    public int Runs { get; init; } = 3;
    /// <summary>Of trend: the metric, "task.metric".</summary>
    public string? Metric { get; init; }
    /// <summary>Of trend: how many of the newest firings are looked at.</summary>
    public int Last { get; init; } = 10;
}

/// <param name="Kind">"page", "email" or "webhook".</param>
/// <param name="Target">Address; null for the page.</param>
public sealed record AlertChannel(string Kind, string? Target = null);

/// <summary>One firing as the rules see it. Verdict and metrics are there once its run is over.</summary>
public sealed record AlertFact(FiringOutcome Outcome, int Missed, bool RunFailed, Verdict? Verdict, IReadOnlyList<FiringMetric> Metrics);

/// <summary>When an alert rule speaks. Pure.</summary>
public static class AlertConditions
{
    public const string Fail = "fail";
    public const string CannotTell = "cannot-tell";
    public const string Trend = "trend";
    public const string Failed = "failed";
    public const string Missed = "missed";
    /// <summary>Of deployments and not of schedules: their traffic differs from their past.</summary>
    public const string Drift = "drift";

    public static IReadOnlyList<string> All { get; } = [Fail, CannotTell, Trend, Failed, Missed, Drift];

    /// <summary>Conditions that are known when the schedule fires; the others are known when its run is over.</summary>
    public static bool IsKnownAtOnce(string condition, AlertFact fact) => condition == Missed || (condition == Failed && fact.Outcome == FiringOutcome.Failed);

    /// <summary>
    /// What the rule has to say about the newest firing, or null. Fail, failed and missed speak at each firing they are true of;
    /// cannot-tell and trend speak when they become true, and again only after they were not.
    /// </summary>
    /// <param name="newestFirst">The firing itself, then the ones before it.</param>
    public static string? Says(string condition, AlertParameters p, IReadOnlyList<AlertFact> newestFirst)
    {
        var newest = newestFirst[0];
        return condition switch
        {
            Fail => newest.Verdict == Verdict.Fail ? "The gate refused it." : null,
            Failed => newest.Outcome == FiringOutcome.Failed ? "It could not be started." : newest.RunFailed ? "Its run failed." : null,
            Missed => newest.Missed > 0 ? $"{newest.Missed} due time{(newest.Missed == 1 ? " was" : "s were")} missed." : null,
            CannotTell => Run(newestFirst) == p.Runs ? $"The rows could not tell {p.Runs} times in a row. Measure more rows." : null,
            Trend => Slope(p, newestFirst) is { } slope && Slope(p, [.. newestFirst.Skip(1)]) is null ? slope : null,
            _ => null,
        };
    }

    private static int Run(IReadOnlyList<AlertFact> facts) => facts.Where(f => f.Verdict is not null).TakeWhile(f => f.Verdict == Verdict.CannotTell).Count();

    /// <summary>Said when the whole interval of the slope is on the bad side.</summary>
    private static string? Slope(AlertParameters p, IReadOnlyList<AlertFact> newestFirst)
    {
        var points = newestFirst.Select(f => f.Metrics.FirstOrDefault(m => m.Name == p.Metric)).OfType<FiringMetric>().Take(p.Last).Reverse().ToArray();
        if (points.Length < Math.Min(p.Last, TheilSen.FewestPoints))
            return null;
        var trend = TheilSen.Fit([.. points.Select(m => m.Value)]);
        var worse = points[^1].HigherIsBetter ? trend.High < 0 : trend.Low > 0;
        return worse ? string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"{p.Metric} gets worse: {trend.Slope:0.####} in each firing (95 % interval {trend.Low:0.####} … {trend.High:0.####}, last {points.Length} firings).") : null;
    }

    public static void EnsureValid(string condition, AlertParameters p)
    {
        if (Problems(condition, p) is [var first, ..])
            throw LlmOpsException.Invalid(first.Text);
    }

    /// <summary>What is wrong, each at its field ("condition", "runs", "metric", "last"); empty when nothing is.</summary>
    public static IReadOnlyList<(string Field, string Text)> Problems(string condition, AlertParameters p)
    {
        var found = new List<(string, string)>();
        if (!All.Contains(condition))
            found.Add(("condition", $"'{condition}' is no condition. Conditions: {string.Join(", ", All)}."));
        if (condition == CannotTell && p.Runs is < 1 or > 100)
            found.Add(("runs", $"{p.Runs} runs are outside 1 … 100."));
        if (condition == Trend && string.IsNullOrWhiteSpace(p.Metric))
            found.Add(("metric", "A trend needs the metric that is watched, for example 'preference.accuracy'."));
        if (condition == Trend && (p.Last < TheilSen.FewestPoints || p.Last > 200))
            found.Add(("last", $"A trend over {p.Last} firings is outside {TheilSen.FewestPoints} … 200: fewer points cannot show one."));
        return found;
    }

    internal static AlertParameters Parameters(AlertRule rule) => Json.Read<AlertParameters>(rule.ParametersJson);

    internal static IReadOnlyList<AlertChannel> Channels(AlertRule rule) => Json.Read<List<AlertChannel>>(rule.ChannelsJson);
}
