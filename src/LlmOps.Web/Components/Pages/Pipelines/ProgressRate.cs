namespace LlmOps.Web.Components.Pages.Pipelines;

/// <summary>How fast a fraction grows, from what was seen during the last minute. A resumed job starts in the middle, so its start says nothing.</summary>
public sealed class ProgressRate
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);
    private readonly Queue<(DateTimeOffset At, double Done)> seen = new();
    private object? subject;
    private double last = -1;

    public void Note(object? of, double done, DateTimeOffset at)
    {
        if (!Equals(subject, of) || done < last)
            seen.Clear();
        (subject, last) = (of, done);
        seen.Enqueue((at, done));
        while (seen.Count > 2 && at - seen.Peek().At > Window)
            seen.Dequeue();
    }

    /// <summary>Fraction per minute; null while too little was seen.</summary>
    public double? PerMinute(double done, DateTimeOffset now)
    {
        if (seen.Count == 0) return null;
        var (at, from) = seen.Peek();
        var minutes = (now - at).TotalMinutes;
        return minutes > 0.05 && done > from ? (done - from) / minutes : null;
    }

    public double? RemainingMs(double done, DateTimeOffset now) => PerMinute(done, now) is { } rate ? (1 - done) / rate * 60_000 : null;
}
