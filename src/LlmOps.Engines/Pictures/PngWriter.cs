using System.Buffers.Binary;
using System.IO.Compression;

namespace LlmOps.Engines.Pictures;

/// <summary>Encodes 8-bit pixels as PNG (ISO/IEC 15948): no palette, no interlacing, no filter, one data chunk.</summary>
public static class PngWriter
{
    private static readonly uint[] CrcTable = [.. Enumerable.Range(0, 256).Select(n => Enumerable.Range(0, 8).Aggregate((uint)n, (c, _) => (c & 1) != 0 ? 0xEDB88320 ^ (c >> 1) : c >> 1))];

    /// <summary>Gray pixels, one byte each, row by row.</summary>
    /// <exception cref="ArgumentException">The sizes do not fit the pixels.</exception>
    public static byte[] Gray(ReadOnlySpan<byte> pixels, int width, int height) => Encode(pixels, width, height, 1, 0);

    /// <summary>Red, green and blue, three bytes per pixel, row by row.</summary>
    /// <exception cref="ArgumentException">The sizes do not fit the pixels.</exception>
    public static byte[] Rgb(ReadOnlySpan<byte> pixels, int width, int height) => Encode(pixels, width, height, 3, 2);

    private static byte[] Encode(ReadOnlySpan<byte> pixels, int width, int height, int channels, byte colourType)
    {
        if (width < 1 || height < 1 || pixels.Length != (long)width * height * channels)
            throw new ArgumentException($"{pixels.Length} bytes are no picture of {width} × {height} with {channels} channels.", nameof(pixels));
        using var file = new MemoryStream();
        file.Write([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]);
        Span<byte> header = stackalloc byte[13];
        header.Clear();
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], height);
        (header[8], header[9]) = (8, colourType);
        Chunk(file, "IHDR"u8, header);
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            for (int y = 0; y < height; y++)
            {
                zlib.WriteByte(0);
                zlib.Write(pixels.Slice(y * width * channels, width * channels));
            }
        }
        Chunk(file, "IDAT"u8, packed.GetBuffer().AsSpan(0, (int)packed.Length));
        Chunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    private static void Chunk(MemoryStream file, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        file.Write(number);
        file.Write(type);
        file.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, ~Crc(Crc(uint.MaxValue, type), data));
        file.Write(number);
    }

    /// <summary>The checksum of a chunk: its type and its data.</summary>
    internal static uint Crc32(ReadOnlySpan<byte> bytes) => ~Crc(uint.MaxValue, bytes);

    private static uint Crc(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
            crc = CrcTable[(crc ^ b) & 0xFF] ^ (crc >> 8);
        return crc;
    }
}
