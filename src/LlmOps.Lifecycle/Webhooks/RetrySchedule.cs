using System.Globalization;
using System.Net.Http.Headers;

namespace LlmOps.Lifecycle.Webhooks;

/// <summary>When an attempt that failed is repeated: after 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 h; about three days in all.</summary>
public static class RetrySchedule
{
    private static readonly TimeSpan[] Delays =
    [
        TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(30), TimeSpan.FromHours(2), TimeSpan.FromHours(5), TimeSpan.FromHours(10), TimeSpan.FromHours(14), TimeSpan.FromHours(20), TimeSpan.FromHours(24),
    ];

    /// <summary>Nobody is left alone for longer, whatever the receiver asks.</summary>
    public static readonly TimeSpan LongestPause = TimeSpan.FromHours(24);

    public static int MostAttempts => Delays.Length + 1;

    /// <summary>
    /// How long after the n-th attempt (from 1) the next one is due; null after the last. Up to a tenth is added, another part for each delivery, so that what
    /// failed together does not come back together.
    /// </summary>
    public static TimeSpan? After(int tried, Guid delivery) => tried > Delays.Length ? null : Delays[tried - 1] + (Delays[tried - 1] * (0.1 * Share(delivery, tried)));

    /// <summary>Seconds, or a time; never in the past and never beyond the longest pause.</summary>
    public static TimeSpan? RetryAfter(RetryConditionHeaderValue? header, DateTimeOffset now)
    {
        var pause = header?.Delta ?? (header?.Date is { } date ? date - now : null);
        return pause is not { } asked ? null : asked < TimeSpan.Zero ? TimeSpan.Zero : asked > LongestPause ? LongestPause : asked;
    }

    /// <summary>0 to 1, the same for the same attempt: whoever computes it again after a crash gets the same time.</summary>
    private static double Share(Guid delivery, int tried)
    {
        var hash = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{delivery:N}.{tried}")));
        return BitConverter.ToUInt32(hash, 0) / (double)uint.MaxValue;
    }
}
