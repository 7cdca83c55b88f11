using System.Globalization;
using System.Text.Json.Serialization;
using LlmOps.Engines.Evaluation;

namespace LlmOps.Engines.Quantization.Search;

/// <summary>What the best variant is best at.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SearchObjective>))]
public enum SearchObjective
{
    /// <summary>Fewest bytes.</summary>
    Smallest,

    /// <summary>Most tokens per second after the first.</summary>
    FastestDecode,

    /// <summary>Most prompt tokens per second.</summary>
    FastestPrefill,

    /// <summary>Least divergence from the source.</summary>
    Closest,
}

/// <summary>Whether a variant keeps the limits of a goal. Limits are judged by the unfavourable end of the interval: luck meets none.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<GoalVerdict>))]
public enum GoalVerdict
{
    /// <summary>Every limit holds, the interval included.</summary>
    Met,

    /// <summary>A limit is broken, the interval included.</summary>
    Missed,

    /// <summary>An interval lies on both sides of its limit: more rows would decide.</summary>
    Undecided,
}

/// <summary>What a search looks for: the best by one objective among the variants that keep the limits.</summary>
/// <param name="Objective">What is best.</param>
/// <param name="MaxIncrease">Largest increase of bits per byte as a share of the source's: 0.01 is one percent.</param>
/// <param name="MinSameTop">Smallest share of positions with the same most likely token, 0 to 1.</param>
/// <param name="MaxKld">Largest mean divergence, nats.</param>
/// <param name="MaxBytes">Largest size.</param>
public sealed record SearchGoal(SearchObjective Objective = SearchObjective.Smallest, double? MaxIncrease = null, double? MinSameTop = null, double? MaxKld = null, long? MaxBytes = null)
{
    /// <summary>Whether a variant keeps the limits.</summary>
    public GoalVerdict Judge(ComparisonReport report)
    {
        GoalVerdict[] verdicts =
        [
            AtMost(MaxIncrease, report.DeltaBitsPerByte.Low / report.BaseBitsPerByte.Value, report.RelativeIncreaseAtMost),
            AtMost(-MinSameTop, -report.SameTop.High, -report.SameTop.Low),
            AtMost(MaxKld, report.MeanKld.Low, report.MeanKld.High),
            AtMost(MaxBytes, report.VariantBytes, report.VariantBytes),
        ];
        return verdicts.Contains(GoalVerdict.Missed) ? GoalVerdict.Missed : verdicts.Contains(GoalVerdict.Undecided) ? GoalVerdict.Undecided : GoalVerdict.Met;
    }

    private static GoalVerdict AtMost(double? limit, double low, double high) =>
        limit is null || high <= limit ? GoalVerdict.Met : low > limit ? GoalVerdict.Missed : GoalVerdict.Undecided;

    internal void Ensure(bool measuresSpeed)
    {
        if (!Enum.IsDefined(Objective))
            throw new ArgumentException($"Objective {(int)Objective} is unknown; use Smallest, FastestDecode, FastestPrefill or Closest.");
        if (!measuresSpeed && Objective is SearchObjective.FastestDecode or SearchObjective.FastestPrefill && !measuresSpeed)
            throw new ArgumentException($"The objective {Objective} needs Speed: what to measure with.");
        if (MinSameTop is < 0 or > 1)
            throw new ArgumentException("MinSameTop must be 0 to 1.");
    }

    /// <summary>The goal in words.</summary>
    public override string ToString()
    {
        string Percent(double share) => (100 * share).ToString("0.##", CultureInfo.InvariantCulture) + " %";
        List<string> limits = [];
        if (MaxIncrease is { } increase)
            limits.Add($"at most {Percent(increase)} more bits per byte");
        if (MinSameTop is { } same)
            limits.Add($"same most likely token in at least {Percent(same)}");
        if (MaxKld is { } kld)
            limits.Add(string.Create(CultureInfo.InvariantCulture, $"mean KLD at most {kld:g3}"));
        if (MaxBytes is { } bytes)
            limits.Add(string.Create(CultureInfo.InvariantCulture, $"at most {bytes:N0} bytes"));
        var what = Objective switch { SearchObjective.Smallest => "smallest", SearchObjective.FastestDecode => "fastest decode", SearchObjective.FastestPrefill => "fastest prefill", _ => "closest" };
        return limits.Count == 0 ? what : $"{what} with {string.Join(", ", limits)}";
    }
}
