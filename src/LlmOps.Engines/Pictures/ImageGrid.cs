namespace LlmOps.Engines.Pictures;

/// <summary>Lays small square gray images out in rows, enlarged without smoothing so that every pixel can be seen.</summary>
public static class ImageGrid
{
    private const int Gap = 4;
    private const byte Background = 96;

    /// <summary>A PNG with one line of images per row.</summary>
    /// <param name="rows">Images of size · size values from 0 (black) to 1 (white); values beyond are cut. Rows may differ in length.</param>
    /// <param name="size">Pixels per side of an image.</param>
    /// <param name="zoom">Screen pixels per image pixel.</param>
    /// <exception cref="ArgumentException">There is no image, or one has another size.</exception>
    public static byte[] Png(IReadOnlyList<IReadOnlyList<float[]>> rows, int size, int zoom = 3)
    {
        int columns = rows.Count == 0 ? 0 : rows.Max(r => r.Count), side = size * zoom;
        if (columns == 0 || rows.Any(r => r.Any(image => image.Length != size * size)))
            throw new ArgumentException($"A grid needs images of {size} × {size} pixels.", nameof(rows));
        int width = Gap + columns * (side + Gap), height = Gap + rows.Count * (side + Gap);
        var pixels = new byte[width * height];
        Array.Fill(pixels, Background);
        foreach (var (y, row) in rows.Index())
            foreach (var (x, image) in row.Index())
                Paint(pixels, width, Gap + x * (side + Gap), Gap + y * (side + Gap), image, size, zoom);
        return PngWriter.Gray(pixels, width, height);
    }

    private static void Paint(byte[] pixels, int width, int left, int top, float[] image, int size, int zoom)
    {
        for (int y = 0; y < size * zoom; y++)
            for (int x = 0; x < size * zoom; x++)
            {
                float value = image[y / zoom * size + x / zoom];
                pixels[(top + y) * width + left + x] = (byte)Math.Round(255 * (float.IsNaN(value) ? 0 : Math.Clamp(value, 0, 1)));
            }
    }
}
