using System.Globalization;
using System.Runtime.InteropServices;

namespace LlmOps.Engines.Inference;

/// <summary>
/// Moves memory into pages of 2 MiB. A decoder reads all its weights for every token, far more than the processor's address cache covers with pages of 4 KiB, and Linux gives
/// large pages by itself only where it is set to <c>always</c>.
/// </summary>
internal static partial class HugePages
{
    // From linux/mman.h; collapsing needs Linux 6.1.
    private const int AdviseHugePage = 14, AdviseCollapse = 25;
    private const long PageBytes = 2 << 20;

    /// <summary>Collapses what this process has written in large anonymous mappings. Does nothing where the system cannot: it is an optimisation only.</summary>
    /// <returns>Bytes that are in large pages now.</returns>
    public static long Collapse()
    {
        if (!OperatingSystem.IsLinux() || !File.Exists("/proc/self/maps"))
            return 0;
        long collapsed = 0;
        foreach (var (start, end) in Anonymous(File.ReadAllLines("/proc/self/maps")))
        {
            if (Advise((nint)start, (nint)(end - start), AdviseHugePage) != 0)
                return collapsed;
            // One at a time: a page that was never written is refused, and would end a larger request.
            for (var page = start; page < end; page += PageBytes)
                collapsed += Advise((nint)page, (nint)PageBytes, AdviseCollapse) == 0 ? PageBytes : 0;
        }
        return collapsed;
    }

    /// <summary>The parts of private writable memory without a file that consist of whole large pages.</summary>
    public static IEnumerable<(long Start, long End)> Anonymous(IEnumerable<string> maps)
    {
        foreach (var line in maps)
        {
            // 7f2c5c000000-7f2c60000000 rw-p 00000000 00:00 0    [heap]
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length < 5 || fields[1] != "rw-p" || fields[4] != "0" || (fields.Length > 5 && fields[5] != "[heap]"))
                continue;
            var bounds = fields[0].Split('-');
            if (!long.TryParse(bounds[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var start) || !long.TryParse(bounds[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var end))
                continue;
            (start, end) = ((start + PageBytes - 1) / PageBytes * PageBytes, end / PageBytes * PageBytes);
            if (start < end)
                yield return (start, end);
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nint length, int advice);
}
