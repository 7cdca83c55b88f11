using System.Globalization;
using System.Runtime.InteropServices;

namespace LlmOps.SideBySide;

/// <summary>Asks Linux to back large anonymous mappings by 2 MiB pages.</summary>
internal static class HugePages
{
    private const int HugePage = 14, Collapse_ = 25;
    private const long PageBytes = 2 << 20;

    public static long Collapse(long atLeast)
    {
        long done = 0, failed = 0;
        foreach (var line in File.ReadLines("/proc/self/maps"))
        {
            var parts = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (parts.Length > 5 && parts[5] != "[heap]" || !parts[1].StartsWith("rw", StringComparison.Ordinal))
                continue;
            var bounds = parts[0].Split('-');
            var (start, end) = (long.Parse(bounds[0], NumberStyles.HexNumber), long.Parse(bounds[1], NumberStyles.HexNumber));
            start = (start + PageBytes - 1) / PageBytes * PageBytes;
            end = end / PageBytes * PageBytes;
            if (end - start < atLeast)
                continue;
            madvise((nint)start, end - start, HugePage);
            // Only pages in use: collapsing an untouched range would allocate it.
            if (madvise((nint)start, end - start, Collapse_) == 0) done += end - start; else failed += end - start;
        }
        Console.Error.WriteLine($"huge pages: {done >> 20} MiB collapsed, {failed >> 20} MiB refused");
        return done;
    }

    [DllImport("libc", SetLastError = true)]
    private static extern int madvise(nint address, nint length, int advice);
    private static int madvise(nint address, long length, int advice) => madvise(address, (nint)length, advice);
}
