using System.Buffers.Binary;
using System.IO.Compression;
using LlmOps.Engines.Pictures;

namespace LlmOps.Engines.Tests.Pictures;

public sealed class PngWriterTests
{
    [Fact]
    public void Gray_HoldsSizeAndPixels_AndTheChecksumsThatTheFormatAsksFor()
    {
        byte[] png = PngWriter.Gray([1, 2, 3, 4, 5, 6], width: 3, height: 2);

        Assert.Equal([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], png[..8]);
        Assert.Equal("IHDR", System.Text.Encoding.ASCII.GetString(png, 12, 4));
        Assert.Equal([0, 0, 0, 3, 0, 0, 0, 2, 8, 0, 0, 0, 0], png[16..29]);
        // The last chunk is the same in every PNG file.
        Assert.Equal([0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82], png[^12..]);
        Assert.Equal([0, 1, 2, 3, 0, 4, 5, 6], Data(png));
    }

    [Fact]
    public void Rgb_HasThreeBytesPerPixel()
    {
        byte[] png = PngWriter.Rgb([255, 0, 0, 0, 255, 0], width: 2, height: 1);

        Assert.Equal(2, png[25]);
        Assert.Equal([0, 255, 0, 0, 0, 255, 0], Data(png));
    }

    [Fact]
    public void PixelsOfAnotherSize_AreRefused()
        => Assert.Contains("5 bytes are no picture of 3 × 2", Assert.Throws<ArgumentException>(() => PngWriter.Gray([1, 2, 3, 4, 5], 3, 2)).Message, StringComparison.Ordinal);

    [Fact]
    public void Grid_PlacesEachImageWithABorder()
    {
        byte[] png = ImageGrid.Png([[[0f, 1f, 0.5f, 2f], [1f, 1f, 1f, 1f]], [[0f, 0f, 0f, float.NaN]]], size: 2, zoom: 2);

        int width = BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(16)), height = BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(20));
        Assert.Equal((20, 20), (width, height));
        byte[] data = Data(png);
        byte At(int x, int y) => data[y * (width + 1) + 1 + x];
        Assert.Equal([96, 0, 0, 255, 255, 96], new[] { At(3, 4), At(4, 4), At(5, 5), At(6, 4), At(7, 5), At(8, 4) });
        Assert.Equal([128, 255, 255, 0, 96], new[] { At(4, 6), At(7, 7), At(12, 4), At(7, 15), At(12, 12) });
    }

    private static byte[] Data(byte[] png)
    {
        int length = BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(33));
        Assert.Equal("IDAT", System.Text.Encoding.ASCII.GetString(png, 37, 4));
        using var zlib = new ZLibStream(new MemoryStream(png, 41, length), CompressionMode.Decompress);
        using var data = new MemoryStream();
        zlib.CopyTo(data);
        return data.ToArray();
    }
}
