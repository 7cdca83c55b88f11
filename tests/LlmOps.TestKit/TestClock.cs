namespace LlmOps.TestKit;

/// <summary>
/// A clock that tests set. Each reading is one millisecond later than the one before, so that "newest first" means something; hours pass
/// only when a test says so.
/// </summary>
public sealed class TestClock(DateTimeOffset start) : TimeProvider
{
    private long milliseconds = start.ToUnixTimeMilliseconds();

    public TestClock() : this(new DateTimeOffset(2026, 3, 2, 9, 0, 0, TimeSpan.Zero))
    {
    }

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(Interlocked.Increment(ref milliseconds));

    public void Advance(TimeSpan by) => Interlocked.Add(ref milliseconds, (long)by.TotalMilliseconds);

    public void Set(DateTimeOffset to) => Interlocked.Exchange(ref milliseconds, to.ToUnixTimeMilliseconds());
}
