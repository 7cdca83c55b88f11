namespace LlmOps.Engines.Pictures;

/// <summary>A colour, 8 bits each.</summary>
public readonly record struct Rgb(byte R, byte G, byte B)
{
    /// <summary>White, black and the greys between: 0 is black, 255 white.</summary>
    public static Rgb Grey(byte level) => new(level, level, level);

    /// <summary>The colour between two others; 0 gives the first, 1 the second.</summary>
    public static Rgb Between(Rgb from, Rgb to, double share)
    {
        share = double.IsNaN(share) ? 0 : Math.Clamp(share, 0, 1);
        byte Mix(byte a, byte b) => (byte)Math.Round(a + (b - a) * share);
        return new(Mix(from.R, to.R), Mix(from.G, to.G), Mix(from.B, to.B));
    }

    /// <summary>Colours that stay apart on white and for colour-blind eyes, in turn.</summary>
    public static IReadOnlyList<Rgb> Series { get; } = [new(31, 119, 180), new(230, 120, 20), new(44, 140, 60), new(190, 50, 60), new(130, 90, 180), new(110, 110, 110)];
}

/// <summary>A picture of pixels to draw on. Everything outside of it is cut off.</summary>
public sealed class Raster
{
    private readonly byte[] pixels;

    /// <summary>A picture of one colour.</summary>
    /// <param name="width">Pixels, 1 to 8192.</param>
    /// <param name="height">Pixels, 1 to 8192.</param>
    /// <param name="background">Colour of every pixel; white when it is left out.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of range.</exception>
    public Raster(int width, int height, Rgb? background = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(width, 8192);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(height, 8192);
        (Width, Height) = (width, height);
        pixels = new byte[3 * width * height];
        Fill(0, 0, width, height, background ?? Rgb.Grey(255));
    }

    /// <summary>Pixels from left to right.</summary>
    public int Width { get; }

    /// <summary>Pixels from top to bottom.</summary>
    public int Height { get; }

    /// <summary>Red, green and blue of every pixel, row by row.</summary>
    public ReadOnlySpan<byte> Pixels => pixels;

    /// <summary>The colour of a pixel inside of the picture.</summary>
    public Rgb this[int x, int y] => new(pixels[3 * (y * Width + x)], pixels[3 * (y * Width + x) + 1], pixels[3 * (y * Width + x) + 2]);

    /// <summary>Colours one pixel.</summary>
    public void Set(int x, int y, Rgb colour)
    {
        if ((uint)x >= (uint)Width || (uint)y >= (uint)Height)
            return;
        var at = 3 * (y * Width + x);
        (pixels[at], pixels[at + 1], pixels[at + 2]) = (colour.R, colour.G, colour.B);
    }

    /// <summary>Fills a rectangle.</summary>
    public void Fill(int x, int y, int width, int height, Rgb colour)
    {
        for (var row = Math.Max(0, y); row < Math.Min(Height, y + height); row++)
            for (var column = Math.Max(0, x); column < Math.Min(Width, x + width); column++)
                Set(column, row, colour);
    }

    /// <summary>A straight line, one pixel wide.</summary>
    public void Line(double fromX, double fromY, double toX, double toY, Rgb colour)
    {
        if (!double.IsFinite(fromX + fromY + toX + toY))
            return;
        var steps = (int)Math.Min(100_000, Math.Ceiling(Math.Max(Math.Abs(toX - fromX), Math.Abs(toY - fromY))));
        for (var i = 0; i <= steps; i++)
        {
            var share = steps == 0 ? 0 : (double)i / steps;
            Set((int)Math.Round(fromX + (toX - fromX) * share), (int)Math.Round(fromY + (toY - fromY) * share), colour);
        }
    }

    /// <summary>A filled circle.</summary>
    public void Disc(double x, double y, double radius, Rgb colour)
    {
        if (!double.IsFinite(x + y))
            return;
        for (var row = (int)Math.Floor(y - radius); row <= Math.Ceiling(y + radius); row++)
            for (var column = (int)Math.Floor(x - radius); column <= Math.Ceiling(x + radius); column++)
                if ((row - y) * (row - y) + (column - x) * (column - x) <= radius * radius)
                    Set(column, row, colour);
    }

    /// <summary>A grey picture, its pixels enlarged: 0 is black, 1 white, anything beyond is cut.</summary>
    /// <param name="x">Left edge.</param>
    /// <param name="y">Upper edge.</param>
    /// <param name="values">[height · width], row by row.</param>
    /// <param name="width">Values in a row.</param>
    /// <param name="zoom">Pixels for each value, both ways.</param>
    public void Image(int x, int y, ReadOnlySpan<float> values, int width, int zoom)
    {
        for (var i = 0; i < values.Length; i++)
            Fill(x + i % width * zoom, y + i / width * zoom, zoom, zoom, Rgb.Between(Rgb.Grey(0), Rgb.Grey(255), values[i]));
    }

    /// <summary>A short text in capitals of 3 × 5 points; characters that the font lacks stay blank.</summary>
    /// <param name="x">Left edge.</param>
    /// <param name="y">Upper edge.</param>
    /// <param name="text">Letters, figures and a few signs.</param>
    /// <param name="colour">Of the letters.</param>
    /// <param name="zoom">Pixels for each point.</param>
    public void Text(int x, int y, string text, Rgb colour, int zoom = 2)
    {
        for (var i = 0; i < text.Length; i++)
            for (var point = 0; point < 15; point++)
                if (PointFont.IsSet(text[i], point % 3, point / 3))
                    Fill(x + (4 * i + point % 3) * zoom, y + point / 3 * zoom, zoom, zoom, colour);
    }

    /// <summary>The picture as a PNG file.</summary>
    public byte[] ToPng() => PngWriter.Rgb(pixels, Width, Height);
}
