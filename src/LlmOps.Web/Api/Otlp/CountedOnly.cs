namespace LlmOps.Web.Api.Otlp;

/// <summary>Metrics: this server keeps none, so it reads how many there are and says that it drops them.</summary>
internal static class CountedOnly
{
    private static readonly string[] Points = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"];

    public static long DataPoints(ReadOnlySpan<byte> body)
    {
        var count = 0L;
        var request = new WireReader(body);
        while (request.Next())
            if (request.Field != 1)
                request.Skip();
            else
                count += Inside(request.ReadBytes(), 2, scope => Inside(scope, 2, PointsOf));
        return count;
    }

    public static long DataPoints(ReadOnlyMemory<byte> json) =>
        JsonTraces.Parse(json, request => JsonTraces.List(request, "resourceMetrics").SelectMany(r => JsonTraces.List(r, "scopeMetrics")).SelectMany(s => JsonTraces.List(s, "metrics"))
            .Sum(m => Points.Sum(p => JsonTraces.Find(m, p) is { } kind ? JsonTraces.List(kind, "dataPoints").LongCount() : 0)));

    private delegate long Counting(ReadOnlySpan<byte> message);

    private static long PointsOf(ReadOnlySpan<byte> metric)
    {
        var count = 0L;
        var reader = new WireReader(metric);
        while (reader.Next())
            if (reader.Field is 5 or 7 or 9 or 10 or 11)
                count += Inside(reader.ReadBytes(), 1, _ => 1);
            else
                reader.Skip();
        return count;
    }

    private static long Inside(ReadOnlySpan<byte> message, int field, Counting count)
    {
        var sum = 0L;
        var reader = new WireReader(message);
        while (reader.Next())
            if (reader.Field == field)
                sum += count(reader.ReadBytes());
            else
                reader.Skip();
        return sum;
    }
}
