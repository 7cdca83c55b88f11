using LlmOps.Training.Batching;

namespace LlmOps.Training.Tests;

public sealed class ImageAugmentationTests
{
    // 1 2 3
    // 4 5 6
    private static readonly float[] Two = [1, 2, 3, 4, 5, 6];

    [Fact]
    public void FlipsAndMoves_AreThoseWorkedOutByHand()
    {
        Assert.Equal([3, 2, 1, 6, 5, 4], ImageAugmentation.Flip(Two, 3, sideways: true, upsideDown: false));
        Assert.Equal([4, 5, 6, 1, 2, 3], ImageAugmentation.Flip(Two, 3, sideways: false, upsideDown: true));
        Assert.Equal([6, 5, 4, 3, 2, 1], ImageAugmentation.Flip(Two, 3, sideways: true, upsideDown: true));
        Assert.Equal([0, 0, 0, 0, 1, 2], ImageAugmentation.Move(Two, 3, right: 1, down: 1));
        Assert.Equal([6, 0, 0, 0, 0, 0], ImageAugmentation.Move(Two, 3, right: -2, down: -1));
        Assert.Equal(new float[6], ImageAugmentation.Move(Two, 3, right: 5, down: 0));
    }

    [Fact]
    public void Turns_AreAnticlockwise_AroundTheMiddle()
    {
        float[] square = [1, 2, 3, 4, 5, 6, 7, 8, 9];

        AssertNear([3, 6, 9, 2, 5, 8, 1, 4, 7], ImageAugmentation.Rotate(square, 3, 90));
        AssertNear([9, 8, 7, 6, 5, 4, 3, 2, 1], ImageAugmentation.Rotate(square, 3, 180));
        AssertNear(square, ImageAugmentation.Rotate(square, 3, 0));
        // Turned by 45 degrees, the place to the right of the middle shows what was at 1/√2 to the right and as much below: bilinear shares of the four pixels there.
        double near = 1 - Math.Sqrt(0.5), far = Math.Sqrt(0.5);
        Assert.Equal(near * near * 5 + near * far * 6 + far * near * 8 + far * far * 9, ImageAugmentation.Rotate(square, 3, 45)[5], 1e-5);
    }

    [Fact]
    public void Apply_IsAFunctionOfItsNumbers_AndStaysWithinItsLimits()
    {
        var augmentation = new ImageAugmentation { Shift = 2, Rotation = 15, FlipSideways = true };
        float[] picture = [.. Enumerable.Range(0, 64).Select(i => i / 64f)];
        ImageChange[] changes = [.. Enumerable.Range(0, 500).Select(i => augmentation.Apply(picture, 8, seed: 3, step: 9, place: i).Change)];

        Assert.Equal(augmentation.Apply(picture, 8, 3, 9, 4).Pixels, augmentation.Apply(picture, 8, 3, 9, 4).Pixels);
        Assert.NotEqual(augmentation.Apply(picture, 8, 3, 9, 4).Pixels, augmentation.Apply(picture, 8, 3, 10, 4).Pixels);
        Assert.Equal([-2, -1, 0, 1, 2], changes.Select(c => c.Right).Distinct().Order());
        Assert.Equal([-2, -1, 0, 1, 2], changes.Select(c => c.Down).Distinct().Order());
        Assert.All(changes, c => Assert.InRange(c.Degrees, -15, 15));
        Assert.InRange(changes.Count(c => c.FlippedSideways), 200, 300);
        Assert.DoesNotContain(changes, c => c.FlippedUpsideDown);
        var (same, none) = new ImageAugmentation().Apply(picture, 8, 3, 9, 4);
        Assert.Same(picture, same);
        Assert.True(none.IsNone);
    }

    private static void AssertNear(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-5);
    }
}
