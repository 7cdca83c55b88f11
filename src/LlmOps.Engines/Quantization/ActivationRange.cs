using System.Numerics.Tensors;

namespace LlmOps.Engines.Quantization;

/// <summary>How the range of an activation is found from calibration data.</summary>
[System.Text.Json.Serialization.JsonConverter(typeof(System.Text.Json.Serialization.JsonStringEnumConverter<CalibrationMethod>))]
public enum CalibrationMethod
{
    /// <summary>The smallest and largest value seen, or their moving average.</summary>
    MinMax,

    /// <summary>What is left when a small share of the values at both ends is cut off.</summary>
    Percentile,

    /// <summary>The cut whose quantized distribution has the smallest Kullback-Leibler divergence from the real one.</summary>
    Entropy,
}

/// <summary>The values of one activation over all samples, as far as its range needs them: a histogram of fixed width, or two numbers.</summary>
internal sealed class ActivationRange(CalibrationMethod method, bool movingAverage, double percentile, bool symmetric, int bins)
{
    private const double Momentum = 0.01; // of a new sample, for the moving average
    private const int QuantizedBins = 128;
    private long[] counts = [];
    private double threshold; // the histogram reaches from -threshold to threshold
    private double minimum = double.PositiveInfinity, maximum = double.NegativeInfinity;

    public bool Seen => maximum >= minimum;

    public void Add(ReadOnlySpan<float> values)
    {
        double low = double.PositiveInfinity, high = double.NegativeInfinity;
        foreach (var value in values) // a NaN is no end of a range, and neither is an infinity
            if (float.IsFinite(value))
                (low, high) = (Math.Min(low, value), Math.Max(high, value));
        if (low > high)
            return;
        if (method == CalibrationMethod.MinMax)
        {
            var share = movingAverage && Seen ? Momentum : 1;
            (minimum, maximum) = movingAverage && Seen ? (share * low + (1 - share) * minimum, share * high + (1 - share) * maximum)
                : (Math.Min(minimum, low), Math.Max(maximum, high));
            return;
        }
        (minimum, maximum) = (Math.Min(minimum, low), Math.Max(maximum, high));
        Grow(Math.Max(Math.Abs(low), Math.Abs(high)));
        if (threshold == 0)
            return;
        var scale = counts.Length / (2 * threshold);
        foreach (var value in values)
            if (float.IsFinite(value))
                counts[Math.Clamp((int)((value + threshold) * scale), 0, counts.Length - 1)]++;
    }

    // The width of a bin stays, so that earlier counts stay valid.
    private void Grow(double to)
    {
        if (threshold == 0)
        {
            (threshold, counts) = (to, to == 0 ? [] : new long[bins]);
            return;
        }
        if (to <= threshold)
            return;
        var width = 2 * threshold / counts.Length;
        // A first sample of almost nothing would otherwise need bins without end; then the bins are merged.
        while ((to - threshold) / width > 1 << 16)
        {
            var merged = new long[counts.Length];
            for (var i = 0; i < counts.Length; i++)
                merged[counts.Length / 4 + i / 2] += counts[i];
            (counts, threshold, width) = (merged, 2 * threshold, 2 * width);
        }
        if (to <= threshold)
            return;
        var more = (int)((to - threshold) / width) + 1;
        var grown = new long[counts.Length + 2 * more];
        counts.CopyTo(grown, more);
        (counts, threshold) = (grown, threshold + more * width);
    }

    /// <summary>The range that the method finds; it never reaches beyond what was seen.</summary>
    public (double Low, double High) Find()
    {
        if (method == CalibrationMethod.MinMax || counts.Length == 0)
            return symmetric ? Mirror(minimum, maximum) : (minimum, maximum);
        var (low, high) = method == CalibrationMethod.Percentile ? CutByShare() : CutByDivergence();
        (low, high) = (Math.Max(low, minimum), Math.Min(high, maximum));
        return symmetric ? Mirror(low, high) : (low, high);
    }

    private static (double, double) Mirror(double low, double high) => (-Math.Max(Math.Abs(low), Math.Abs(high)), Math.Max(Math.Abs(low), Math.Abs(high)));

    private double Edge(int bin) => -threshold + bin * (2 * threshold / counts.Length);

    private (double, double) CutByShare()
    {
        double total = counts.Sum();
        if (symmetric)
        {
            // Bins lie mirrored around zero, so the histogram of magnitudes is their sum.
            double inside = 0;
            for (var i = counts.Length / 2; i < counts.Length; i++)
                if ((inside += counts[i] + counts[counts.Length - 1 - i]) >= percentile / 100 * total)
                    return (-Edge(i + 1), Edge(i + 1));
            return (-threshold, threshold);
        }
        var cut = (100 - percentile) / 200 * total;
        int first = 0, last = counts.Length - 1;
        for (double outside = counts[0]; first < last && outside <= cut;)
            outside += counts[++first];
        for (double outside = counts[last]; last > first && outside <= cut;)
            outside += counts[--last];
        return (Edge(first), Edge(last + 1));
    }

    private (double, double) CutByDivergence()
    {
        int center = counts.Length / 2, half = QuantizedBins / 2;
        if (center < half)
            return (-threshold, threshold);
        var (best, found) = (double.PositiveInfinity, (Low: -threshold, High: threshold));
        // A histogram that has grown a lot is tried in steps: the divergence changes slowly with the cut.
        var step = Math.Max(1, (center - half) / 512);
        for (var i = half; i <= center; i += step)
        {
            int start = center - i, end = Math.Min(center + i + 1, counts.Length);
            if (Divergence(start, end) is var divergence && divergence < best)
                (best, found) = (divergence, (Edge(start), Edge(end)));
        }
        return found;
    }

    private double Divergence(int start, int end)
    {
        var inside = counts.AsSpan(start, end - start);
        double[] p = new double[inside.Length], q = new double[inside.Length];
        for (var i = 0; i < p.Length; i++)
            p[i] = inside[i];
        p[0] += TensorPrimitives.Sum<long>(counts.AsSpan(0, start));
        p[^1] += TensorPrimitives.Sum<long>(counts.AsSpan(end));
        var merged = inside.Length / QuantizedBins;
        for (var bin = 0; bin < QuantizedBins; bin++)
        {
            int from = bin * merged, to = bin == QuantizedBins - 1 ? inside.Length : from + merged;
            double sum = TensorPrimitives.Sum<long>(inside[from..to]);
            var filled = 0;
            for (var i = from; i < to; i++)
                filled += p[i] != 0 ? 1 : 0;
            for (var i = from; i < to && filled > 0; i++)
                q[i] = p[i] != 0 ? sum / filled : 0;
        }
        return Smooth(p) && Smooth(q) ? Divergence(p, q) : double.PositiveInfinity;
    }

    // Moves a little of the filled bins to the empty ones: a logarithm of zero would make every cut infinitely bad.
    private static bool Smooth(double[] values)
    {
        const double epsilon = 1e-4;
        var empty = values.Count(v => v == 0);
        if (empty == values.Length)
            return false;
        var taken = epsilon * empty / (values.Length - empty);
        for (var i = 0; i < values.Length; i++)
            values[i] += values[i] == 0 ? epsilon : -taken;
        return true;
    }

    private static double Divergence(double[] p, double[] q)
    {
        double sumP = p.Sum(), sumQ = q.Sum(), total = 0;
        for (var i = 0; i < p.Length; i++)
            if (p[i] > 0)
                total += q[i] > 0 ? p[i] / sumP * Math.Log(p[i] / sumP / (q[i] / sumQ)) : double.PositiveInfinity;
        return total;
    }
}
