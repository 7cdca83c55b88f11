namespace LlmOps.Engines.Text;

/// <summary>
/// The reversible byte ↔ character table of byte-level BPE (Radford et al. 2019, GPT-2): printable bytes stand for themselves,
/// the others for the characters from U+0100 on, so that a vocabulary file holds neither spaces nor control characters.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] ToChar = new char[256];
    private static readonly Dictionary<char, byte> ToByte = [];

    static ByteAlphabet()
    {
        var next = 256;
        for (var b = 0; b < 256; b++)
        {
            var printable = b is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE;
            ToChar[b] = printable ? (char)b : (char)next++;
            ToByte[ToChar[b]] = (byte)b;
        }
    }

    public static char CharOf(byte b) => ToChar[b];

    /// <summary>The bytes that a vocabulary entry stands for, or null when it holds a character outside the table.</summary>
    public static byte[]? BytesOf(string token)
    {
        var bytes = new byte[token.Length];
        for (var i = 0; i < token.Length; i++)
        {
            if (!ToByte.TryGetValue(token[i], out bytes[i]))
                return null;
        }
        return bytes;
    }

    public static string TokenOf(ReadOnlySpan<byte> bytes)
    {
        Span<char> chars = bytes.Length <= 256 ? stackalloc char[bytes.Length] : new char[bytes.Length];
        for (var i = 0; i < bytes.Length; i++)
            chars[i] = ToChar[bytes[i]];
        return new string(chars);
    }
}
