namespace LlmOps.Engines.SmallModels;

/// <summary>A square gray image and what it shows. As JSON: <c>{"pixels":"&lt;base64&gt;","label":"7"}</c>.</summary>
/// <param name="Pixels">One byte per pixel, row by row, 0 black to 255 white.</param>
/// <param name="Label">Name of the class.</param>
public sealed record GlyphImage(byte[] Pixels, string Label)
{
    /// <summary>The pixels as floats from 0 to 1.</summary>
    public float[] ToFloats() => Array.ConvertAll(Pixels, p => p / 255f);
}

/// <summary>
/// Draws handwriting-like digits: strokes with random slant, size, place, thickness and noise. Image i of a seed is a pure function of (seed, i) and its
/// label is i mod 10, so that every split is balanced and no data file has to be shipped.
/// </summary>
public static class GlyphImages
{
    /// <summary>Pixels per side.</summary>
    public const int Size = 16;

    // Strokes in a unit square, x to the right and y down. Arcs go clockwise on the screen, in degrees from the right.
    private static readonly (double X, double Y)[][][] Strokes =
    [
        [Arc(0.5, 0.5, 0.26, 0.4, 0, 360)],
        [[(0.34, 0.26), (0.54, 0.1), (0.54, 0.9)]],
        [[.. Arc(0.5, 0.33, 0.26, 0.23, 190, 385), (0.24, 0.9), (0.78, 0.9)]],
        [Arc(0.47, 0.3, 0.25, 0.2, 200, 450), Arc(0.47, 0.69, 0.28, 0.21, 270, 515)],
        [[(0.63, 0.92), (0.63, 0.1), (0.2, 0.64), (0.82, 0.64)]],
        [[(0.75, 0.1), (0.32, 0.1), (0.29, 0.46)], Arc(0.47, 0.65, 0.28, 0.25, 230, 510)],
        [[(0.66, 0.1), (0.42, 0.3), (0.27, 0.62)], Arc(0.5, 0.68, 0.24, 0.22, 0, 360)],
        [[(0.22, 0.12), (0.78, 0.12), (0.42, 0.92)]],
        [Arc(0.5, 0.3, 0.21, 0.2, 0, 360), Arc(0.5, 0.7, 0.26, 0.21, 0, 360)],
        [Arc(0.5, 0.33, 0.24, 0.22, 0, 360), [(0.74, 0.36), (0.7, 0.65), (0.56, 0.92)]],
    ];

    /// <summary>The ten digits.</summary>
    public static IReadOnlyList<string> Labels { get; } = [.. Enumerable.Range(0, 10).Select(d => d.ToString(System.Globalization.CultureInfo.InvariantCulture))];

    /// <summary>Images 0 … <paramref name="count"/> − 1 of a seed.</summary>
    /// <param name="count">How many; a multiple of ten has each digit equally often.</param>
    /// <param name="seed">Another seed draws other images.</param>
    public static IReadOnlyList<GlyphImage> Make(int count, int seed) => [.. Enumerable.Range(0, count).Select(i => Draw(seed, i))];

    /// <summary>Images with normal noise on every pixel, which makes them harder to read.</summary>
    /// <param name="count">How many.</param>
    /// <param name="seed">Another seed draws other images and other noise.</param>
    /// <param name="noise">Standard deviation as a share of white.</param>
    public static IReadOnlyList<GlyphImage> Make(int count, int seed, double noise) => noise == 0 ? Make(count, seed) : [.. Make(count, seed).Select((image, i) =>
    {
        var random = new CounterRandom(seed, 1, i);
        var pixels = new byte[image.Pixels.Length];
        for (int p = 0; p < pixels.Length; p++)
            pixels[p] = (byte)Math.Round(Math.Clamp(image.Pixels[p] + 255 * noise * random.NextGaussian(), 0, 255));
        return image with { Pixels = pixels };
    })];

    private static GlyphImage Draw(int seed, int index)
    {
        int digit = index % Labels.Count;
        var random = new CounterRandom(seed, 0, index);
        double angle = Spread(ref random, 0.18), slant = Spread(ref random, 0.2), width = 1 + Spread(ref random, 0.15), height = 1 + Spread(ref random, 0.12);
        double left = Spread(ref random, 1.2), top = Spread(ref random, 1.0), thickness = 0.85 + 0.55 * random.NextDouble();
        (double sin, double cos) = Math.SinCos(angle);
        (double X, double Y) Place((double X, double Y) p)
        {
            double x = (p.X - 0.5) * width + slant * (0.5 - p.Y), y = (p.Y - 0.5) * height;
            return ((Size - 1) / 2.0 + left + 13 * (cos * x - sin * y), (Size - 1) / 2.0 + top + 13 * (sin * x + cos * y));
        }

        (double X, double Y)[][] lines = [.. Strokes[digit].Select(stroke => stroke.Select(Place).ToArray())];
        var pixels = new byte[Size * Size];
        for (int i = 0; i < pixels.Length; i++)
        {
            double distance = lines.Min(line => Distance(line, i % Size, i / Size));
            double ink = Math.Clamp(thickness + 0.5 - distance, 0, 1) * (0.96 + 0.04 * random.NextDouble());
            pixels[i] = (byte)Math.Round(255 * ink);
        }
        return new GlyphImage(pixels, Labels[digit]);
    }

    private static double Spread(ref CounterRandom random, double limit) => limit * (2 * random.NextDouble() - 1);

    private static (double X, double Y)[] Arc(double x, double y, double radiusX, double radiusY, double from, double to)
    {
        const int pieces = 16;
        return [.. Enumerable.Range(0, pieces + 1).Select(i => (from + (to - from) * i / pieces) * Math.PI / 180).Select(a => (x + radiusX * Math.Cos(a), y + radiusY * Math.Sin(a)))];
    }

    private static double Distance((double X, double Y)[] line, double x, double y)
    {
        double least = double.MaxValue;
        for (int i = 1; i < line.Length; i++)
        {
            var (a, b) = (line[i - 1], line[i]);
            double dx = b.X - a.X, dy = b.Y - a.Y, t = Math.Clamp(((x - a.X) * dx + (y - a.Y) * dy) / (dx * dx + dy * dy), 0, 1);
            least = Math.Min(least, Math.Sqrt(Math.Pow(x - a.X - t * dx, 2) + Math.Pow(y - a.Y - t * dy, 2)));
        }
        return least;
    }
}
