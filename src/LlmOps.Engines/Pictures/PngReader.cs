using System.Buffers.Binary;
using System.IO.Compression;

namespace LlmOps.Engines.Pictures;

/// <summary>A grey picture: one byte a pixel, row by row, 0 is black.</summary>
public sealed record GreyImage(int Width, int Height, byte[] Pixels);

/// <summary>Reads PNG files of 8 bits a channel as grey pictures; colours become their luma (ITU-R BT.601), transparency is ignored.</summary>
public static class PngReader
{
    /// <summary>The largest side that is read, in pixels: the models of this product are small, and so are their pictures.</summary>
    public const int LargestSide = 256;

    internal static ReadOnlySpan<byte> Signature => [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A];

    /// <summary>Decodes a file.</summary>
    /// <exception cref="ArgumentException">It is no PNG, is damaged, or is of a sort that is not read; the message says which.</exception>
    public static GreyImage Read(ReadOnlySpan<byte> file)
    {
        if (!file.StartsWith(Signature))
            throw new ArgumentException("the bytes are no PNG file.");
        (int Width, int Height, int Channels)? header = null;
        using var packed = new MemoryStream();
        for (var at = 8; at + 12 <= file.Length;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(file[at..]);
            if (length < 0 || length > file.Length - at - 12)
                break;
            ReadOnlySpan<byte> type = file.Slice(at + 4, 4), data = file.Slice(at + 8, length);
            if (PngWriter.Crc32(file.Slice(at + 4, length + 4)) != BinaryPrimitives.ReadUInt32BigEndian(file[(at + 8 + length)..]))
                throw new ArgumentException("the PNG file is damaged: a checksum does not fit.");
            if (type.SequenceEqual("IHDR"u8))
                header = Header(data);
            else if (type.SequenceEqual("IDAT"u8))
                packed.Write(data);
            else if (type.SequenceEqual("IEND"u8))
                return header is { } h ? new(h.Width, h.Height, Pixels(packed, h.Width, h.Height, h.Channels)) : throw new ArgumentException("the PNG file has no header.");
            at += length + 12;
        }
        throw new ArgumentException("the PNG file is cut off.");
    }

    private static (int, int, int) Header(ReadOnlySpan<byte> data)
    {
        if (data.Length != 13)
            throw new ArgumentException("the header of the PNG file is damaged.");
        var (width, height) = (BinaryPrimitives.ReadInt32BigEndian(data), BinaryPrimitives.ReadInt32BigEndian(data[4..]));
        if (width is < 1 or > LargestSide || height is < 1 or > LargestSide)
            throw new ArgumentException($"the picture has {width} × {height} pixels; 1 to {LargestSide} each way are read.");
        var channels = data[9] switch { 0 => 1, 2 => 3, 4 => 2, 6 => 4, _ => 0 };
        return data[8] == 8 && channels > 0 && data[12] == 0 ? (width, height, channels)
            : throw new ArgumentException("only PNG files of 8 bits a channel without palette and interlacing are read.");
    }

    private static byte[] Pixels(MemoryStream packed, int width, int height, int channels)
    {
        packed.Position = 0;
        var (stride, grey) = (width * channels, new byte[width * height]);
        byte[] row = new byte[stride], above = new byte[stride];
        try
        {
            using var zlib = new ZLibStream(packed, CompressionMode.Decompress);
            for (var y = 0; y < height; y++)
            {
                var filter = zlib.ReadByte();
                zlib.ReadExactly(row);
                Unfilter(filter, row, above, channels);
                for (var x = 0; x < width; x++)
                    grey[y * width + x] = channels < 3 ? row[x * channels] : (byte)Math.Round(0.299 * row[x * channels] + 0.587 * row[x * channels + 1] + 0.114 * row[x * channels + 2]);
                (row, above) = (above, row);
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new ArgumentException("the pixels of the PNG file are damaged or cut off.", e);
        }
        return grey;
    }

    private static void Unfilter(int filter, byte[] row, byte[] above, int channels)
    {
        if (filter is < 0 or > 4)
            throw new ArgumentException($"the PNG file uses the row filter {filter}, which does not exist.");
        for (var i = 0; i < row.Length; i++)
        {
            int left = i < channels ? 0 : row[i - channels], corner = i < channels ? 0 : above[i - channels], up = above[i];
            row[i] += (byte)(filter switch { 1 => left, 2 => up, 3 => (left + up) / 2, 4 => Paeth(left, up, corner), _ => 0 });
        }
    }

    private static int Paeth(int left, int up, int corner)
    {
        var estimate = left + up - corner;
        int a = Math.Abs(estimate - left), b = Math.Abs(estimate - up), c = Math.Abs(estimate - corner);
        return a <= b && a <= c ? left : b <= c ? up : corner;
    }
}
