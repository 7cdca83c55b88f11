using System.Globalization;
using System.Text;
using LlmOps.Engines.Inference.Batching;

namespace LlmOps.SideBySide;

/// <summary>What the scheduler did: sequences in the batch, tokens of each step, and who came and went.</summary>
internal static class BatchPicture
{
    private const int Width = 900, Height = 110, Left = 48, Gap = 62;

    public static string Svg(IReadOnlyList<BatchStep> all, double seconds)
    {
        var end = all[^1].AtMs + all[^1].DurationMs;
        var steps = all.Where(s => s.AtMs >= end - seconds * 1000).ToList();
        var start = steps[0].AtMs;
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width + Left + 12} {3 * (Height + Gap) + 10}\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
        double X(double atMs) => Left + (atMs - start) / (end - start) * Width;
        Panel(0, "Sequences that got a token in each step; ▲ one joins, ▼ one leaves", Math.Max(8, steps.Max(s => s.Rows)), s => [(s.Rows, "#1565c0")]);
        Panel(1, "Tokens computed in each step: answers (blue) and prompts (orange)", steps.Max(s => s.Rows + s.PromptTokens), s => [(s.Rows, "#1565c0"), (s.PromptTokens, "#ef6c00")]);
        Panel(2, "Duration of each step, ms", steps.Max(s => s.DurationMs), s => [(s.DurationMs, "#607d8b")]);
        foreach (var step in steps)
        {
            if (step.Joined > 0)
                svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(step.AtMs):f1}\" y=\"{24 + Height + 12}\" fill=\"#2e7d32\" font-size=\"9\" text-anchor=\"middle\">▲</text>\n");
            if (step.Left > 0)
                svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(step.AtMs + step.DurationMs):f1}\" y=\"{24 + Height + 22}\" fill=\"#c62828\" font-size=\"9\" text-anchor=\"middle\">▼</text>\n");
        }
        return svg.Append("</svg>\n").ToString();

        void Panel(int row, string title, double most, Func<BatchStep, (double Value, string Colour)[]> parts)
        {
            double top = 24 + row * (Height + Gap), bottom = top + Height;
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left}\" y=\"{top - 8}\" font-weight=\"bold\">{title}</text>\n");
            foreach (var step in steps)
            {
                var at = bottom;
                foreach (var (value, colour) in parts(step).Where(p => p.Value > 0))
                {
                    var height = value / most * Height;
                    at -= height;
                    svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{X(step.AtMs):f1}\" y=\"{at:f1}\" width=\"{Math.Max(0.3, X(step.AtMs + step.DurationMs) - X(step.AtMs)):f1}\" height=\"{height:f1}\" fill=\"{colour}\"/>\n");
                }
            }
            svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{Left} {top}V{bottom}H{Left + Width}\" fill=\"none\" stroke=\"#888\"/>\n<text x=\"{Left - 5}\" y=\"{top + 9}\" text-anchor=\"end\">{most:g3}</text>\n<text x=\"{Left - 5}\" y=\"{bottom}\" text-anchor=\"end\">0</text>\n");
            for (var second = 0; second <= (end - start) / 1000; second++)
                svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(start + second * 1000):f1}\" y=\"{bottom + (row == 0 ? 34 : 14)}\" text-anchor=\"middle\">{second} s</text>\n");
        }
    }
}
