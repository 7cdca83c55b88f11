using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LlmOps.Engines.Planning;

/// <summary>
/// Measures what limits a decoder on this machine, with every core at once: the rate of reading memory, and of fused multiply-adds that stay in registers. The third best
/// of many short rounds counts, because a peak is asked for and other programs make rounds slower.
/// </summary>
public static class MachineProbe
{
    // Far larger than any cache, so that memory is read and not a cache.
    private const int BytesPerThread = 256 << 20;
    // Some milliseconds each: shorter than the time that a busy machine gives a thread before it takes it away.
    private const int BytesPerRound = 32 << 20, StepsPerRound = 250_000, MostRounds = 200;
    private const double QuietShare = 0.5;
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    /// <summary>Takes about a second, up to three where other programs run.</summary>
    /// <param name="threads">Threads that measure together; 0 means one for each core.</param>
    /// <param name="bytesPerThread">Memory that each thread reads; 0 means 256 MiB, less where memory is short.</param>
    /// <param name="ct">Stops between two rounds.</param>
    public static Hardware Measure(int threads = 0, int bytesPerThread = 0, CancellationToken ct = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        ArgumentOutOfRangeException.ThrowIfNegative(bytesPerThread);
        var cores = threads == 0 ? Environment.ProcessorCount : threads;
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        var bytes = bytesPerThread == 0 ? (int)Math.Min(BytesPerThread, memory / 4 / cores) : bytesPerThread;
        var bandwidth = Bandwidth(cores, Math.Max(bytes, 1 << 20) / 64 * 64, ct);
        var (clock, busy) = (Stopwatch.StartNew(), Environment.CpuUsage.TotalTime);
        var fp32 = Arithmetic(cores, ct);
        var share = (Environment.CpuUsage.TotalTime - busy) / (clock.Elapsed * cores);
        var (ratio, note) = Int8PerFp32();
        List<string> notes = [string.Create(CultureInfo.InvariantCulture, $"Measured with {cores} {(cores == 1 ? "thread" : "threads")}, {Lanes * 32}-bit vectors, the third best of up to {MostRounds} rounds."), note];
        if (share < QuietShare)
            notes.Add(string.Create(CultureInfo.InvariantCulture, $"The machine was busy: the measurement got {share:0 %} of the cores' time, so these figures may be far too low. Measure again when it is quiet."));
        return new(Environment.MachineName, HardwareKind.Cpu, memory, bandwidth, fp32, fp32, fp32 * ratio, HardwareSource.Measured) { Cores = cores, Notes = notes };
    }

    private static double Bandwidth(int threads, int bytes, CancellationToken ct)
    {
        int round = Math.Min(bytes, BytesPerRound), parts = bytes / round;
        var blocks = new float[threads][];
        for (var i = 0; i < threads; i++)
        {
            blocks[i] = GC.AllocateUninitializedArray<float>(bytes / 4);
            Array.Fill(blocks[i], 1f); // pages that nobody touched would all be the same page of zeros
        }
        return Best(threads, (thread, i) => Sum(blocks[thread].AsSpan(i % parts * (round / 4), round / 4)), round, ct);
    }

    private static double Arithmetic(int threads, CancellationToken ct) => Best(threads, (_, _) => Multiply(StepsPerRound), 2.0 * Lanes * Sums * StepsPerRound, ct);

    private static int Lanes => Vector512.IsHardwareAccelerated ? 16 : Vector256.IsHardwareAccelerated ? 8 : Vector<float>.Count;

    private const int Sums = 12;

    // Four sums, so that an addition does not wait for the one before.
    private static float Sum(ReadOnlySpan<float> values)
    {
        var vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        Vector<float> a = default, b = default, c = default, d = default;
        for (var i = 0; i + 3 < vectors.Length; i += 4)
            (a, b, c, d) = (a + vectors[i], b + vectors[i + 1], c + vectors[i + 2], d + vectors[i + 3]);
        return Vector.Sum(a + b + c + d);
    }

    private static float Multiply(int steps) => Vector512.IsHardwareAccelerated ? Multiply512(steps) : Vector256.IsHardwareAccelerated ? Multiply256(steps) : MultiplyAny(steps);

    // Twelve independent sums: a fused multiply-add takes four to five cycles and two start in each. Values stay near one.
    private static float Multiply512(int steps)
    {
        Vector512<float> x = Vector512.Create(0.999f), y = Vector512.Create(0.001f), a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, k = x, l = x, m = x, n = x;
        for (var i = 0; i < steps; i++)
        {
            a = Vector512.FusedMultiplyAdd(a, x, y); b = Vector512.FusedMultiplyAdd(b, x, y); c = Vector512.FusedMultiplyAdd(c, x, y); d = Vector512.FusedMultiplyAdd(d, x, y);
            e = Vector512.FusedMultiplyAdd(e, x, y); f = Vector512.FusedMultiplyAdd(f, x, y); g = Vector512.FusedMultiplyAdd(g, x, y); h = Vector512.FusedMultiplyAdd(h, x, y);
            k = Vector512.FusedMultiplyAdd(k, x, y); l = Vector512.FusedMultiplyAdd(l, x, y); m = Vector512.FusedMultiplyAdd(m, x, y); n = Vector512.FusedMultiplyAdd(n, x, y);
        }
        return Vector512.Sum(a + b + c + d + e + f + g + h + k + l + m + n);
    }

    private static float Multiply256(int steps)
    {
        Vector256<float> x = Vector256.Create(0.999f), y = Vector256.Create(0.001f), a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, k = x, l = x, m = x, n = x;
        for (var i = 0; i < steps; i++)
        {
            a = Vector256.FusedMultiplyAdd(a, x, y); b = Vector256.FusedMultiplyAdd(b, x, y); c = Vector256.FusedMultiplyAdd(c, x, y); d = Vector256.FusedMultiplyAdd(d, x, y);
            e = Vector256.FusedMultiplyAdd(e, x, y); f = Vector256.FusedMultiplyAdd(f, x, y); g = Vector256.FusedMultiplyAdd(g, x, y); h = Vector256.FusedMultiplyAdd(h, x, y);
            k = Vector256.FusedMultiplyAdd(k, x, y); l = Vector256.FusedMultiplyAdd(l, x, y); m = Vector256.FusedMultiplyAdd(m, x, y); n = Vector256.FusedMultiplyAdd(n, x, y);
        }
        return Vector256.Sum(a + b + c + d + e + f + g + h + k + l + m + n);
    }

    private static float MultiplyAny(int steps)
    {
        Vector<float> x = new(0.999f), y = new(0.001f), a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, k = x, l = x, m = x, n = x;
        for (var i = 0; i < steps; i++)
        {
            a = Vector.FusedMultiplyAdd(a, x, y); b = Vector.FusedMultiplyAdd(b, x, y); c = Vector.FusedMultiplyAdd(c, x, y); d = Vector.FusedMultiplyAdd(d, x, y);
            e = Vector.FusedMultiplyAdd(e, x, y); f = Vector.FusedMultiplyAdd(f, x, y); g = Vector.FusedMultiplyAdd(g, x, y); h = Vector.FusedMultiplyAdd(h, x, y);
            k = Vector.FusedMultiplyAdd(k, x, y); l = Vector.FusedMultiplyAdd(l, x, y); m = Vector.FusedMultiplyAdd(m, x, y); n = Vector.FusedMultiplyAdd(n, x, y);
        }
        return Vector.Sum(a + b + c + d + e + f + g + h + k + l + m + n);
    }

    // .NET has no intrinsic for AVX-512's VNNI, so the ratio comes from the instructions: vpdpbusd does 64 products and sums where a fused multiply-add
    // does 16; without it, vpmaddubsw, vpmaddwd and vpaddd do as many in three.
    private static (double Ratio, string Note) Int8PerFp32()
    {
        if (X86Base.IsSupported && X86Base.CpuId(0, 0).Eax >= 7 && ((X86Base.CpuId(7, 0).Ecx >> 11 & 1) != 0 || AvxVnni.IsSupported))
            return (4, "8-bit products: 4 times the measured fp32 rate, as the processor has VNNI.");
        if (System.Runtime.Intrinsics.Arm.Dp.IsSupported)
            return (4, "8-bit products: 4 times the measured fp32 rate, as the processor has dot-product instructions.");
        return (4.0 / 3, "8-bit products: 4/3 of the measured fp32 rate, as the processor has no VNNI.");
    }

    // Of all threads together per second. A round begins for all at once and ends with the last: threads that took turns would each have the whole memory.
    // Threads of its own, because those of the pool may be busy.
    private static double Best(int threads, Func<int, int, float> work, double amountPerThread, CancellationToken ct)
    {
        var rates = new List<double>();
        var (ends, began, start, over) = (new long[threads], Stopwatch.GetTimestamp(), 0L, false);
        using var barrier = new Barrier(threads, b =>
        {
            if (b.CurrentPhaseNumber > 0)
                rates.Add(threads * amountPerThread / Stopwatch.GetElapsedTime(start, ends.Max()).TotalSeconds);
            over = b.CurrentPhaseNumber >= MostRounds || b.CurrentPhaseNumber > 1 && Stopwatch.GetElapsedTime(began) > Longest || ct.IsCancellationRequested;
            start = Stopwatch.GetTimestamp();
        });
        Thread[] all = [.. Enumerable.Range(0, threads).Select(thread => new Thread(() =>
        {
            for (var i = 0; ; i++)
            {
                barrier.SignalAndWait(CancellationToken.None);
                if (over)
                    return;
                Volatile.Write(ref kept, work(thread, i)); // what nobody reads would not be computed
                ends[thread] = Stopwatch.GetTimestamp();
            }
        }) { IsBackground = true })];
        foreach (var thread in all) thread.Start();
        foreach (var thread in all) thread.Join();
        ct.ThrowIfCancellationRequested();
        // One round may have been lucky with a cache or a clock; three were not.
        return rates.OrderDescending().ElementAt(Math.Min(2, rates.Count / 3));
    }

    private static float kept;
}
