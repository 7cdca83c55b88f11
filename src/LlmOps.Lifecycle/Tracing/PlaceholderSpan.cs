using System.Security.Cryptography;
using System.Text;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>
/// The step of a trace whose spans have not come yet: clients of the MLflow API tell of a trace first and send its spans afterwards, or never. With it the trace is on the
/// pages at once; it goes when spans come.
/// </summary>
public static class PlaceholderSpan
{
    /// <summary>The same for everybody who asks, so that two who begin one trace make one step.</summary>
    public static string IdOf(string traceId) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("placeholder of " + traceId)).AsSpan(0, 8));

    public static bool IsOne(Span span) => span.SpanId == IdOf(span.TraceId);
}
