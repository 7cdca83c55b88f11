using System.Runtime.InteropServices;

namespace LlmOps.Lifecycle.Tracking.Journal;

/// <summary>Points as they came, put into the order of the table's key; of each metric the newest.</summary>
internal static class SortPoints
{
    public static (List<PointRow> Points, List<PointRow> Newest) Sort(IReadOnlyList<LoggedPoints> logged)
    {
        var runs = new Dictionary<Guid, Dictionary<string, List<PointRow>>>();
        var count = 0;
        foreach (var batch in logged)
        {
            if (!runs.TryGetValue(batch.RunId, out var curves))
                runs[batch.RunId] = curves = new(StringComparer.Ordinal);
            foreach (var m in batch.Metrics)
            {
                ref var curve = ref CollectionsMarshal.GetValueRefOrAddDefault(curves, m.Key, out _);
                var nan = double.IsNaN(m.Value);
                (curve ??= []).Add(new(batch.RunId, batch.ExperimentId, m.Key, m.Step, m.At.ToUnixTimeMilliseconds(), nan ? 0 : m.Value, nan));
                count++;
            }
        }
        var points = new List<PointRow>(count);
        var newest = new List<PointRow>();
        foreach (var (_, curves) in runs.OrderBy(r => r.Key))
            foreach (var (_, curve) in curves.OrderBy(c => c.Key, StringComparer.Ordinal))
            {
                var from = points.Count;
                Add(points, curve);
                var last = from;
                for (var i = from + 1; i < points.Count; i++)
                    if (IsOlder(points[last], points[i]))
                        last = i;
                newest.Add(points[last]);
            }
        return (points, newest);
    }

    /// <summary>Sorted, and each once: a client that got no answer sends a point again.</summary>
    private static void Add(List<PointRow> points, List<PointRow> curve)
    {
        for (var i = 1; i < curve.Count; i++)
            if (Compare(curve[i - 1], curve[i]) > 0)
            {
                curve.Sort(Compare);
                break;
            }
        points.Add(curve[0]);
        for (var i = 1; i < curve.Count; i++)
            if (Compare(curve[i - 1], curve[i]) != 0)
                points.Add(curve[i]);
    }

    private static int Compare(PointRow a, PointRow b) =>
        a.Step != b.Step ? a.Step.CompareTo(b.Step) : a.At != b.At ? a.At.CompareTo(b.At) : a.Value.CompareTo(b.Value) is not 0 and var order ? order : a.IsNan.CompareTo(b.IsNan);

    private static bool IsOlder(PointRow a, PointRow b) => a.At != b.At ? a.At < b.At : a.Step != b.Step ? a.Step < b.Step : a.Value < b.Value;
}
