using System.Buffers;
using System.Text;

namespace LlmOps.Web.Api.Otlp;

/// <summary>Writes the fields of one protobuf message.</summary>
internal sealed class WireWriter
{
    private readonly ArrayBufferWriter<byte> written = new();

    public byte[] Written => written.WrittenSpan.ToArray();

    public void Number(int field, ulong value)
    {
        if (value == 0)
            return;
        Varint((ulong)field << 3);
        Varint(value);
    }

    public void Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

    public void Bytes(int field, ReadOnlySpan<byte> value)
    {
        Varint(((ulong)field << 3) | 2);
        Varint((ulong)value.Length);
        written.Write(value);
    }

    private void Varint(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
            Byte((byte)(value | 0x80));
        Byte((byte)value);
    }

    private void Byte(byte value) => written.Write([value]);
}
