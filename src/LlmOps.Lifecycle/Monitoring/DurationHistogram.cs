using System.Collections.Concurrent;

namespace LlmOps.Lifecycle.Monitoring;

/// <summary>Durations of this process since it started, in the buckets of the GenAI conventions. Labels must have few values: each set of them is kept.</summary>
public sealed class DurationHistogram(string name, string help, params string[] labels)
{
    /// <summary>Upper bounds in seconds.</summary>
    public static IReadOnlyList<double> Bounds { get; } = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

    private readonly ConcurrentDictionary<string, Series> series = new(StringComparer.Ordinal);

    public void Observe(double seconds, params string[] values) => series.GetOrAdd(string.Join('\0', values), _ => new(values)).Add(seconds);

    public MetricFamily Read() => new(name, MetricType.Histogram, help, [.. series.OrderBy(s => s.Key, StringComparer.Ordinal).SelectMany(s => s.Value.Read(labels))]);

    private sealed class Series(string[] values)
    {
        private readonly long[] counts = new long[Bounds.Count + 1];
        private double sum;
        private readonly Lock adding = new();

        public void Add(double seconds)
        {
            var bucket = 0;
            while (bucket < Bounds.Count && seconds > Bounds[bucket])
                bucket++;
            lock (adding)
            {
                counts[bucket]++;
                sum += seconds;
            }
        }

        public IEnumerable<MetricSample> Read(string[] labels)
        {
            (string, string)[] named = [.. labels.Zip(values)];
            long[] now;
            double total;
            lock (adding)
                (now, total) = ([.. counts], sum);
            var below = 0L;
            for (var i = 0; i < now.Length; i++)
            {
                below += now[i];
                yield return new(below, "_bucket", [.. named, ("le", MetricText.Number(i < Bounds.Count ? Bounds[i] : double.PositiveInfinity))]);
            }
            yield return new(total, "_sum", named);
            yield return new(below, "_count", named);
        }
    }
}
