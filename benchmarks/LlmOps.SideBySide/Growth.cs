using System.Diagnostics;
using System.Globalization;
using System.Text;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;

namespace LlmOps.SideBySide;

/// <summary>How each step's cost grows with the number of layers, as a table and a picture.</summary>
internal static class Growth
{
    private static readonly int[] Layers = [2, 4, 8, 16, 24, 32];
    private static readonly string[] Names = ["export, s", "4-bit rounding, s", "load, ms", "512-token prefill, ms", "one token, ms"];

    public static void Print(int rounds, string folder, string picture)
    {
        var measured = new Dictionary<int, double[]>();
        Directory.CreateDirectory(Path.Combine(folder, "growth"));
        var runs = Layers.ToDictionary(l => l, _ => new List<double[]>());
        for (var round = 0; round <= rounds; round++)
            foreach (var layers in Layers)
            {
                var numbers = Once(Path.Combine(folder, "growth", layers.ToString(CultureInfo.InvariantCulture)), layers);
                if (round > 0)
                    runs[layers].Add(numbers);
            }
        foreach (var layers in Layers)
            measured[layers] = [.. Names.Select((_, i) => Median(runs[layers].Select(r => r[i])))];
        Console.WriteLine($"n {rounds}, load average {Comparison.Load()}");
        Console.WriteLine($"| layers | {string.Join(" | ", Names)} |\n|---|{string.Concat(Names.Select(_ => "---|"))}");
        foreach (var layers in Layers)
            Console.WriteLine($"| {layers} | {string.Join(" | ", measured[layers].Select(n => n.ToString("g4", CultureInfo.InvariantCulture)))} |");
        Console.WriteLine($"| R² of a straight line | {string.Join(" | ", Names.Select((_, i) => Fit(Layers.Select(l => (double)l).ToArray(), Layers.Select(l => measured[l][i]).ToArray()).R2.ToString("f4", CultureInfo.InvariantCulture)))} |");
        File.WriteAllText(picture, Svg(measured));
    }

    private static double[] Once(string folder, int layers)
    {
        if (!Directory.Exists(folder + "-hf"))
            RandomLlama.Write(folder + "-hf", RandomLlama.Config(layers));
        foreach (var old in new[] { folder + "-fp32", folder + "-q4" }.Where(Directory.Exists))
            Directory.Delete(old, true);
        var clock = Stopwatch.StartNew();
        new DecoderExport().Run(folder + "-hf", folder + "-fp32");
        var export = clock.Elapsed.TotalSeconds;
        clock.Restart();
        new BlockwiseRtn(4, 64, true, 4, 4).Run(folder + "-fp32", folder + "-q4");
        var rounding = clock.Elapsed.TotalSeconds;
        clock.Restart();
        using var engine = new Ours(folder + "-q4", new Dictionary<string, string>());
        var load = clock.Elapsed.TotalMilliseconds;
        var tokens = Worker.Tokens(Worker.Prompt + Worker.Answer);
        double prefill = 0, decode = 0;
        for (var i = 0; i < 2; i++)
            (prefill, decode) = Worker.Measure(engine, tokens, 64);
        return [export, rounding, load, prefill * 1000, decode * 1000 / 64];
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(values.Count() / 2);

    private static (double Intercept, double Slope, double R2) Fit(double[] x, double[] y)
    {
        double mx = x.Average(), my = y.Average(), sxy = 0, sxx = 0, syy = 0;
        for (var i = 0; i < x.Length; i++)
            (sxy, sxx, syy) = (sxy + (x[i] - mx) * (y[i] - my), sxx + (x[i] - mx) * (x[i] - mx), syy + (y[i] - my) * (y[i] - my));
        return (my - sxy / sxx * mx, sxy / sxx, sxy * sxy / sxx / syy);
    }

    private static string Svg(Dictionary<int, double[]> measured)
    {
        const int width = 190, height = 150, left = 40, top = 28;
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Names.Length * (width + left + 12)} {height + top + 40}\" font-family=\"sans-serif\" font-size=\"11\">\n");
        svg.Append("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
        var x = Layers.Select(l => (double)l).ToArray();
        for (var i = 0; i < Names.Length; i++)
        {
            var y = Layers.Select(l => measured[l][i]).ToArray();
            var most = y.Max() * 1.08;
            var (intercept, slope, r2) = Fit(x, y);
            double X(double v) => i * (width + left + 12) + left + v / 34 * width;
            double Y(double v) => top + height - Math.Clamp(v / most, 0, 1) * height;
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(0):f0}\" y=\"16\" font-weight=\"bold\">{Names[i]} (R² {r2:f4})</text>\n");
            svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{X(0):f1} {top}V{top + height}H{X(34):f1}\" fill=\"none\" stroke=\"#888\"/>\n");
            svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{X(0):f1} {Y(intercept):f1}L{X(34):f1} {Y(intercept + slope * 34):f1}\" stroke=\"#9ab\" stroke-dasharray=\"4 3\"/>\n");
            foreach (var tick in new[] { 0, 8, 16, 24, 32 })
                svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(tick):f1}\" y=\"{top + height + 14}\" text-anchor=\"middle\">{tick}</text>\n");
            foreach (var part in new[] { 0.0, 0.5, 1.0 })
                svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(0) - 4:f1}\" y=\"{Y(part * y.Max()) + 4:f1}\" text-anchor=\"end\">{part * y.Max():g3}</text>\n");
            for (var p = 0; p < x.Length; p++)
                svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{X(x[p]):f1}\" cy=\"{Y(y[p]):f1}\" r=\"3.5\" fill=\"#1565c0\"/>\n");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(17):f1}\" y=\"{top + height + 30}\" text-anchor=\"middle\">layers</text>\n");
        }
        return svg.Append("</svg>\n").ToString();
    }
}
