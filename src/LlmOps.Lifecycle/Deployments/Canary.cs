namespace LlmOps.Lifecycle.Deployments;

public enum CanaryState
{
    /// <summary>The new revision takes its share and is watched.</summary>
    Running,
    /// <summary>All planned requests were seen, and it is worse in nothing by more than is tolerated.</summary>
    Passed,
    /// <summary>It was worse on evidence: its traffic went back by itself.</summary>
    RolledBack,
    /// <summary>All planned requests were seen and do not tell. Somebody has to decide.</summary>
    Undecided,
    /// <summary>Somebody moved the traffic.</summary>
    Stopped,
}

/// <summary>A new revision on trial beside the one that served before.</summary>
public sealed class Canary
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid DeploymentId { get; init; }
    public Deployment? Deployment { get; init; }
    /// <summary>Number of the revision that served before.</summary>
    public int Baseline { get; init; }
    /// <summary>Number of the new revision.</summary>
    public int Candidate { get; init; }
    public CanaryState State { get; set; }
    public required string PolicyJson { get; init; }
    /// <summary>The last <see cref="CanaryReport"/>, JSON.</summary>
    public string ReportJson { get; set; } = "{}";
    /// <summary>The last look that was taken, from 1; 0 before the first.</summary>
    public int Look { get; set; }
    public string Reason { get; set; } = "";
    public required string CreatedBy { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? EndedAt { get; set; }
}

/// <summary>What a canary is held to. It counts as worse only by more than is tolerated.</summary>
/// <param name="Requests">Requests of the new revision after which it is decided at the latest.</param>
/// <param name="Looks">How often it is looked at on the way, evenly; the false-alarm rate is spent over all of them.</param>
/// <param name="Alpha">How often a revision that is just tolerable may be rolled back, over all looks and measures.</param>
/// <param name="ErrorTolerance">Failed requests, as a difference of shares.</param>
/// <param name="LatencyTolerance">Duration of a request, as a ratio of geometric means minus 1.</param>
/// <param name="FeedbackTolerance">Good ratings, as a difference of shares.</param>
/// <param name="Promote">Whether one that passes gets all traffic by itself.</param>
public sealed record CanaryPolicy(int Requests = 500, int Looks = 10, double Alpha = 0.05, double ErrorTolerance = 0.01, double LatencyTolerance = 0.25, double FeedbackTolerance = 0.05, bool Promote = false)
{
    public void Ensure()
    {
        if (Requests is < 20 or > 1_000_000 || Looks is < 1 or > 50 || Looks > Requests / 10 || Alpha is not (>= 0.001 and <= 0.2))
            throw LlmOpsException.Invalid("A canary takes 20 to 1000000 requests, 1 to 50 looks with 10 requests each at least, and an alpha of 0.001 to 0.2.");
        if (ErrorTolerance is not (>= 0 and < 1) || LatencyTolerance is not (>= 0 and <= 10) || FeedbackTolerance is not (>= 0 and < 1))
            throw LlmOpsException.Invalid("Tolerances: errors and feedback 0 to below 1, latency 0 to 10.");
    }
}

/// <summary>What one revision did.</summary>
/// <param name="LogDurations">Natural logarithms of the durations of its answers, in milliseconds.</param>
/// <param name="Good">Ratings above zero, of all <paramref name="Rated"/>.</param>
public sealed record CanarySample(int Requests, int Failures, IReadOnlyList<double> LogDurations, int Good, int Rated);

/// <summary>One measure: by how much the new revision is worse, with a one-sided bound on either side at this look's level.</summary>
/// <param name="Worse">Positive is worse, in the measure's own unit.</param>
public sealed record CanaryMeasure(string Name, double Baseline, double Candidate, double Worse, double Low, double High, double Tolerance, Promotion.Verdict Verdict);

/// <param name="Level">One-sided level of each measure at this look.</param>
public sealed record CanaryReport(int Look, double Level, int BaselineRequests, int CandidateRequests, Promotion.Verdict Verdict, IReadOnlyList<CanaryMeasure> Measures, string Words);
