using LlmOps.Engines.SmallModels;

namespace LlmOps.Training.Batching;

/// <summary>What was done to one picture in one epoch.</summary>
/// <param name="Right">Pixels by which it was moved to the right.</param>
/// <param name="Down">Pixels by which it was moved down.</param>
/// <param name="Degrees">Angle by which it was turned, anticlockwise.</param>
/// <param name="FlippedSideways">Whether left and right were exchanged.</param>
/// <param name="FlippedUpsideDown">Whether top and bottom were exchanged.</param>
public readonly record struct ImageChange(int Right, int Down, double Degrees, bool FlippedSideways, bool FlippedUpsideDown)
{
    /// <summary>Whether nothing was done.</summary>
    public bool IsNone => this == default;
}

/// <summary>
/// Flips, turns and moves pictures at random. A pure function of seed, step and the picture's place in the step, so that a resumed run changes the same pictures in the
/// same way. Pictures are grey values, row by row; what comes in from outside is 0.
/// </summary>
public sealed record ImageAugmentation
{
    /// <summary>Most pixels of a move, up and down, left and right.</summary>
    public int Shift { get; init; }

    /// <summary>Most degrees of a turn, to either side.</summary>
    public double Rotation { get; init; }

    /// <summary>Whether left and right are exchanged in half of the pictures.</summary>
    public bool FlipSideways { get; init; }

    /// <summary>Whether top and bottom are exchanged in half of the pictures.</summary>
    public bool FlipUpsideDown { get; init; }

    /// <summary>The picture as this step sees it, and what was done; the picture itself when nothing was.</summary>
    /// <param name="pixels">Values [height · width].</param>
    /// <param name="width">Columns.</param>
    /// <param name="seed">Seed of the run.</param>
    /// <param name="step">Step, from 0.</param>
    /// <param name="place">Place in the step, from 0.</param>
    public (float[] Pixels, ImageChange Change) Apply(float[] pixels, int width, int seed, int step, int place)
    {
        ArgumentNullException.ThrowIfNull(pixels);
        var random = new CounterRandom(seed, step, place);
        var change = new ImageChange(
            Shift == 0 ? 0 : random.Next(2 * Shift + 1) - Shift, Shift == 0 ? 0 : random.Next(2 * Shift + 1) - Shift, Rotation == 0 ? 0 : Rotation * (2 * random.NextDouble() - 1),
            FlipSideways && random.Next(2) == 1, FlipUpsideDown && random.Next(2) == 1);
        float[] result = pixels;
        if (change.FlippedSideways || change.FlippedUpsideDown) result = Flip(result, width, change.FlippedSideways, change.FlippedUpsideDown);
        if (change.Degrees != 0) result = Rotate(result, width, change.Degrees);
        if (change.Right != 0 || change.Down != 0) result = Move(result, width, change.Right, change.Down);
        return (result, change);
    }

    /// <summary>Exchanges left and right, top and bottom, or both.</summary>
    public static float[] Flip(float[] pixels, int width, bool sideways, bool upsideDown)
    {
        int height = pixels.Length / width;
        var flipped = new float[pixels.Length];
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++) flipped[y * width + x] = pixels[(upsideDown ? height - 1 - y : y) * width + (sideways ? width - 1 - x : x)];
        }
        return flipped;
    }

    /// <summary>Moves to the right and down; what leaves the picture is lost.</summary>
    public static float[] Move(float[] pixels, int width, int right, int down)
    {
        int height = pixels.Length / width;
        var moved = new float[pixels.Length];
        for (int y = Math.Max(0, down); y < Math.Min(height, height + down); y++)
        {
            for (int x = Math.Max(0, right); x < Math.Min(width, width + right); x++) moved[y * width + x] = pixels[(y - down) * width + x - right];
        }
        return moved;
    }

    /// <summary>Turns around the middle, anticlockwise, with values between four pixels taken by bilinear interpolation.</summary>
    public static float[] Rotate(float[] pixels, int width, double degrees)
    {
        int height = pixels.Length / width;
        var turned = new float[pixels.Length];
        var (sine, cosine) = Math.SinCos(degrees * Math.PI / 180);
        double middleX = (width - 1) / 2.0, middleY = (height - 1) / 2.0;
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
            {
                // Where the pixel comes from: turned back. Rows count downwards, so an anticlockwise turn has its sine the other way round.
                double dx = x - middleX, dy = y - middleY;
                turned[y * width + x] = (float)Between(pixels, width, height, middleX + cosine * dx - sine * dy, middleY + sine * dx + cosine * dy);
            }
        }
        return turned;
    }

    private static double Between(float[] pixels, int width, int height, double x, double y)
    {
        int left = (int)Math.Floor(x), top = (int)Math.Floor(y);
        double right = x - left, down = y - top;
        double At(int column, int row) => column >= 0 && column < width && row >= 0 && row < height ? pixels[row * width + column] : 0;
        return (1 - down) * ((1 - right) * At(left, top) + right * At(left + 1, top)) + down * ((1 - right) * At(left, top + 1) + right * At(left + 1, top + 1));
    }
}
