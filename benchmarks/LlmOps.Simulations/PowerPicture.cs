using System.Globalization;
using System.Text;

namespace LlmOps.Simulations;

/// <summary>The false-alarm rates as bars and the power curves as lines (theory) and dots (found).</summary>
internal static class PowerPicture
{
    private static readonly string[] Colours = ["#1565c0", "#00897b", "#c2185b"];

    public static string Svg((string World, string Rate, double Found, bool IsContrast)[] rates, double alpha, IReadOnlyList<GateTruth.Point> points)
    {
        var svg = new StringBuilder();
        var barsHeight = 30 + rates.Length * 22;
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 {barsHeight + 300}\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
        svg.Append("<text x=\"8\" y=\"16\" font-weight=\"bold\">How often the gate is wrong (line: 5 %)</text>\n");
        double Bar(double rate) => 430 + rate * 1700;
        for (var i = 0; i < rates.Length; i++)
        {
            var y = 26 + i * 22;
            var (world, rate, found, contrast) = rates[i];
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"424\" y=\"{y + 13}\" text-anchor=\"end\">{world}: {rate}</text><rect x=\"430\" y=\"{y}\" width=\"{found * 1700:f1}\" height=\"16\" fill=\"{(contrast ? "#bbb" : "#1565c0")}\"/><text x=\"{Bar(found) + 5:f1}\" y=\"{y + 13}\">{found * 100:f2} %</text>\n");
        }
        svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{Bar(alpha):f1} 22V{22 + rates.Length * 22}\" stroke=\"#c00\" stroke-dasharray=\"4 3\"/>\n");
        foreach (var (index, world) in points.Select(p => p.World).Distinct().Index())
            Curve(svg, world, [.. points.Where(p => p.World == world)], 60 + index * 430, barsHeight + 30);
        return svg.Append("</svg>\n").ToString();
    }

    private static void Curve(StringBuilder svg, string world, GateTruth.Point[] points, double left, double top)
    {
        const double width = 300, height = 200;
        var most = points.Max(p => p.Effect);
        double X(double effect) => left + effect / most * width;
        double Y(double power) => top + (1 - power) * height;
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{left}\" y=\"{top - 10}\" font-weight=\"bold\">Losses found, {world} (lines: theory)</text><path d=\"M{left} {top}V{top + height}H{left + width}\" fill=\"none\" stroke=\"#888\"/>\n");
        foreach (var share in new[] { 0, 0.5, 1.0 })
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{left - 5}\" y=\"{Y(share) + 4:f1}\" text-anchor=\"end\">{share * 100:f0} %</text>\n");
        foreach (var effect in points.Select(p => p.Effect).Distinct())
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(effect):f1}\" y=\"{top + height + 14}\" text-anchor=\"middle\">{effect:0.##}</text>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{left + width / 2}\" y=\"{top + height + 30}\" text-anchor=\"middle\">true loss</text>\n");
        foreach (var (index, group) in points.GroupBy(p => p.Rows).Index())
        {
            svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{string.Join('L', group.Select(p => FormattableString.Invariant($"{X(p.Effect):f1} {Y(p.Theory):f1}")))}\" fill=\"none\" stroke=\"{Colours[index]}\"/>\n");
            foreach (var p in group)
                svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{X(p.Effect):f1}\" cy=\"{Y(p.Found):f1}\" r=\"3\" fill=\"{Colours[index]}\"/>\n");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{left + width + 6}\" y=\"{top + 16 + index * 16}\" fill=\"{Colours[index]}\">{group.Key:N0} rows</text>\n");
        }
    }
}
