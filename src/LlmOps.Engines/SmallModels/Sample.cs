using System.Globalization;
using System.Text.Json;
using LlmOps.Engines.Pictures;

namespace LlmOps.Engines.SmallModels;

/// <summary>One example of a small model: a picture or a row of numbers, and what is known about it.</summary>
/// <param name="Values">A picture's pixels from 0 (black) to 1 (white), row by row, or the features of a table's row.</param>
/// <param name="Width">Columns of a picture; 0 for a table's row.</param>
/// <param name="Height">Rows of a picture; 0 for a table's row.</param>
/// <param name="Target">Label, or a number as text; empty when nothing is known.</param>
public sealed record Sample(float[] Values, int Width, int Height, string Target)
{
    /// <summary>The most features of a table's row.</summary>
    public const int MostFeatures = 4096;

    /// <summary>Whether it is a picture.</summary>
    public bool IsImage => Width > 0;

    /// <summary>The sample in a few words: the size of a picture, the first features of a row.</summary>
    public string Words => IsImage ? $"picture of {Width} × {Height}" : string.Join(", ", Values.Take(8).Select(v => v.ToString("0.###", CultureInfo.InvariantCulture))) + (Values.Length > 8 ? ", …" : "");

    /// <summary>The target as a number.</summary>
    /// <exception cref="ArgumentException">It is none.</exception>
    public double Number => double.TryParse(Target, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? number
        : throw new ArgumentException($"The target '{Target}' is no number: a regression learns from numbers.");

    /// <summary>
    /// Reads a row of a dataset: <c>{"pixels": base64, "label": …}</c>, a PNG file or the grey bytes of a square picture, or
    /// <c>{"features": [numbers], "target": …}</c>. Label and target may be missing.
    /// </summary>
    /// <exception cref="ArgumentException">The row is neither; the message says what is wrong and begins in lower case, as a reason.</exception>
    public static Sample Parse(JsonElement row) => row.TryGetProperty("pixels", out var pixels) ? OfImage(pixels, Text(row, "label"))
        : row.TryGetProperty("features", out var features) ? OfFeatures(features, Text(row, "target"))
        : throw new ArgumentException("a row has 'pixels' or 'features'.");

    private static Sample OfImage(JsonElement pixels, string label)
    {
        if (pixels.ValueKind != JsonValueKind.String || !pixels.TryGetBytesFromBase64(out var bytes) || bytes.Length == 0)
            throw new ArgumentException("'pixels' is not base64 of a PNG file or of grey bytes.");
        var grey = bytes.AsSpan().StartsWith(PngReader.Signature) ? PngReader.Read(bytes) : Square(bytes);
        return new(Array.ConvertAll(grey.Pixels, p => p / 255f), grey.Width, grey.Height, label);
    }

    private static GreyImage Square(byte[] bytes)
    {
        var side = (int)Math.Round(Math.Sqrt(bytes.Length));
        return side * side == bytes.Length && side <= PngReader.LargestSide ? new(side, side, bytes)
            : throw new ArgumentException($"'pixels' holds {bytes.Length} bytes: neither a PNG file nor a square picture of up to {PngReader.LargestSide} pixels each way.");
    }

    private static Sample OfFeatures(JsonElement features, string target)
    {
        if (features.ValueKind != JsonValueKind.Array || features.GetArrayLength() is 0 or > MostFeatures || features.EnumerateArray().Any(f => f.ValueKind != JsonValueKind.Number))
            throw new ArgumentException($"'features' is not a list of 1 to {MostFeatures} numbers.");
        var values = features.EnumerateArray().Select(f => (float)f.GetDouble()).ToArray();
        return Array.TrueForAll(values, float.IsFinite) ? new(values, 0, 0, target) : throw new ArgumentException("'features' holds a number that 32 bits cannot hold.");
    }

    private static string Text(JsonElement row, string name) => !row.TryGetProperty(name, out var value) ? "" : value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
        JsonValueKind.Null => "",
        _ => throw new ArgumentException($"'{name}' is neither text nor a number."),
    };
}
