namespace LlmOps.Engines.Evaluation.Statistics;

/// <summary>How many items are needed, and what a number of items can show. The normal approximation of paired differences.</summary>
public static class Power
{
    /// <summary>((z_α + z_β)·sd / effect)², rounded up: items so that a true difference is found with the power wanted.</summary>
    /// <param name="sd">Standard deviation of the paired differences.</param>
    /// <param name="effect">Smallest difference that matters, in the metric's unit; not zero.</param>
    /// <param name="alpha">False-alarm rate.</param>
    /// <param name="power">Chance to find the difference when it is there.</param>
    /// <param name="oneSided">A non-inferiority gate is one-sided.</param>
    /// <exception cref="ArgumentException">A number is out of range.</exception>
    public static double RowsNeeded(double sd, double effect, double alpha = 0.05, double power = 0.8, bool oneSided = true)
    {
        Check(sd, alpha, power);
        if (effect == 0 || !double.IsFinite(effect))
            throw new ArgumentException("An effect of zero cannot be found with any number of items.");
        var z = Z(alpha, power, oneSided) * sd / effect;
        return Math.Ceiling(z * z - 1e-9);
    }

    /// <summary>(z_α + z_β)·sd / √n: the smallest true difference that n items find with the power wanted.</summary>
    /// <param name="sd">Standard deviation of the paired differences.</param>
    /// <param name="n">Items.</param>
    /// <param name="alpha">False-alarm rate.</param>
    /// <param name="power">Chance to find the difference when it is there.</param>
    /// <param name="oneSided">A non-inferiority gate is one-sided.</param>
    /// <exception cref="ArgumentException">A number is out of range.</exception>
    public static double MinimumDetectableEffect(double sd, int n, double alpha = 0.05, double power = 0.8, bool oneSided = true)
    {
        Check(sd, alpha, power);
        ArgumentOutOfRangeException.ThrowIfLessThan(n, 1);
        return Z(alpha, power, oneSided) * sd / Math.Sqrt(n);
    }

    /// <summary>Chance that a test at α finds a true difference: Φ(effect·√n / sd − z_α), for two sides both tails.</summary>
    /// <param name="effect">True difference in the direction that is tested.</param>
    /// <param name="sd">Standard deviation of the paired differences.</param>
    /// <param name="n">Items.</param>
    /// <param name="alpha">False-alarm rate.</param>
    /// <param name="oneSided">Whether one direction only counts.</param>
    public static double Of(double effect, double sd, int n, double alpha = 0.05, bool oneSided = true)
    {
        Check(sd, alpha, 0.5);
        var shift = effect * Math.Sqrt(n) / sd;
        var z = Normal.Quantile(1 - (oneSided ? alpha : alpha / 2));
        return Normal.Cumulative(shift - z) + (oneSided ? 0 : Normal.Cumulative(-shift - z));
    }

    /// <summary>√(p_g + p_l − (p_g − p_l)²): what <see cref="RowsNeeded"/> needs for items that are 0 or 1.</summary>
    /// <param name="gained">Share of items that only the second model answers rightly.</param>
    /// <param name="lost">Share of items that only the first does.</param>
    public static double DiscordanceSd(double gained, double lost) => Math.Sqrt(Math.Max(0, gained + lost - (gained - lost) * (gained - lost)));

    private static double Z(double alpha, double power, bool oneSided) => Normal.Quantile(1 - (oneSided ? alpha : alpha / 2)) + Normal.Quantile(power);

    private static void Check(double sd, double alpha, double power)
    {
        if (!(sd >= 0) || !double.IsFinite(sd) || alpha is not (> 0 and < 1) || power is not (> 0 and < 1))
            throw new ArgumentException($"sd {sd}, false-alarm rate {alpha} and power {power} are not all in range.");
    }
}

/// <summary>What a non-inferiority test says.</summary>
public enum NonInferiorityVerdict
{
    /// <summary>The whole interval lies above −margin.</summary>
    Pass,

    /// <summary>The whole interval lies below −margin.</summary>
    Fail,

    /// <summary>The interval holds −margin: more items are needed.</summary>
    CannotTell,
}

/// <summary>"Not worse by the margin" as a claim to be shown. "No significant difference" would be absence of evidence.</summary>
public static class NonInferiority
{
    /// <summary>Reads the ends of an interval of confidence 1 − 2α, each a one-sided bound at α.</summary>
    /// <param name="low">Lower end of (candidate − champion), better being larger.</param>
    /// <param name="high">Upper end.</param>
    /// <param name="margin">Largest loss that is accepted, at least 0.</param>
    public static NonInferiorityVerdict Judge(double low, double high, double margin) =>
        low > -margin ? NonInferiorityVerdict.Pass : high < -margin ? NonInferiorityVerdict.Fail : NonInferiorityVerdict.CannotTell;
}
