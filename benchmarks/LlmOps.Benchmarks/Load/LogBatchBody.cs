using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace LlmOps.Benchmarks.Load;

/// <summary>The body of a log-batch whose steps and times are put in where they lie, all with thirteen digits.</summary>
internal sealed class LogBatchBody
{
    private const int Digits = 13;
    private readonly List<int> steps = [], times = [];

    public LogBatchBody(string run, int metrics)
    {
        var text = new StringBuilder($$"""{"run_id":"{{run}}","metrics":[""");
        for (var i = 0; i < metrics; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $$"""{{(i > 0 ? "," : "")}}{"key":"metric_{{i}}","value":{{i}}.""");
            // the value changes, too, or two batches would have the same points
            steps.Add(text.Length);
            text.Append(CultureInfo.InvariantCulture, $"{new string('0', Digits)},\"timestamp\":");
            times.Add(text.Length);
            text.Append(CultureInfo.InvariantCulture, $"{new string('0', Digits)},\"step\":");
            times.Add(text.Length);
            text.Append(CultureInfo.InvariantCulture, $"{new string('0', Digits)}}}");
        }
        Bytes = Encoding.ASCII.GetBytes(text.Append("]}").ToString());
    }

    public byte[] Bytes { get; }

    public void Put(long step)
    {
        Span<byte> digits = stackalloc byte[Digits];
        Utf8Formatter.TryFormat(1_700_000_000_000 + step, digits, out _);
        foreach (var at in times)
            digits.CopyTo(Bytes.AsSpan(at));
        foreach (var at in steps)
            digits.CopyTo(Bytes.AsSpan(at));
    }
}
