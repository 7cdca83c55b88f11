using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace LlmOps.TestKit;

/// <summary>Waits for what comes in its own time: until a condition holds, and never longer than the patience.</summary>
public static class Eventually
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(50), Usual = TimeSpan.FromSeconds(30);

    /// <summary>Reads again and again until what was read is as it should be; a failure says what it was at the end.</summary>
    public static async Task<T> ReadAsync<T>(Func<Task<T>> read, Func<T, bool> isThere, TimeSpan? patience = null, [CallerArgumentExpression(nameof(isThere))] string what = "")
    {
        for (var waited = Stopwatch.StartNew(); ; await Task.Delay(Between))
        {
            var found = await read();
            if (isThere(found))
                return found;
            if (waited.Elapsed > (patience ?? Usual))
                throw new TimeoutException($"Not within {(patience ?? Usual).TotalSeconds} s: {what}. It was at the end: {found}");
        }
    }
}
