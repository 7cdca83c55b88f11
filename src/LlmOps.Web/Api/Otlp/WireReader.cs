using System.Buffers.Binary;
using System.Text;

namespace LlmOps.Web.Api.Otlp;

/// <summary>Reads the fields of one protobuf message where they lie; a message inside it is read by another reader over its bytes.</summary>
/// <remarks>The form is https://protobuf.dev/programming-guides/encoding/ . Whatever the bytes are, reading ends or throws <see cref="MalformedOtlpException"/>.</remarks>
internal ref struct WireReader(ReadOnlySpan<byte> message)
{
    private const int Varint = 0, Fixed64 = 1, Delimited = 2, Fixed32 = 5;
    private ReadOnlySpan<byte> rest = message;
    private int type;

    /// <summary>Number of the field that <see cref="Next"/> came to.</summary>
    public int Field { get; private set; }

    /// <summary>Goes to the next field; its value has to be read or skipped before the one after it.</summary>
    public bool Next()
    {
        if (rest.IsEmpty)
            return false;
        var tag = ReadVarint();
        (Field, type) = ((int)(tag >> 3), (int)(tag & 7));
        return tag is > 7 and <= uint.MaxValue ? true : throw new MalformedOtlpException("A protobuf field has the number 0 or one that is too large.");
    }

    public ulong ReadNumber()
    {
        Expect(Varint);
        return ReadVarint();
    }

    public ulong ReadFixed64()
    {
        Expect(Fixed64);
        return BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
    }

    public double ReadDouble() => BitConverter.UInt64BitsToDouble(ReadFixed64());

    public ReadOnlySpan<byte> ReadBytes()
    {
        Expect(Delimited);
        var length = ReadVarint();
        return length <= (ulong)rest.Length ? Take((int)length) : throw new MalformedOtlpException("A protobuf field is longer than the message that holds it.");
    }

    public string ReadText() => Encoding.UTF8.GetString(ReadBytes());

    public string ReadId() => Convert.ToHexStringLower(ReadBytes());

    public void Skip()
    {
        switch (type)
        {
            case Varint: ReadVarint(); break;
            case Fixed64: Take(8); break;
            case Delimited: ReadBytes(); break;
            case Fixed32: Take(4); break;
            default: throw new MalformedOtlpException($"A protobuf field has wire type {type}, which is not used any more.");
        }
    }

    private readonly void Expect(int expected)
    {
        if (type != expected)
            throw new MalformedOtlpException($"Protobuf field {Field} has wire type {type} where {expected} is expected.");
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length > rest.Length)
            throw new MalformedOtlpException("The protobuf message ends within a field.");
        var taken = rest[..length];
        rest = rest[length..];
        return taken;
    }

    private ulong ReadVarint()
    {
        ulong value = 0;
        for (var (i, shift) = (0, 0); i < rest.Length && shift < 64; i++, shift += 7)
        {
            value |= (ulong)(rest[i] & 0x7F) << shift;
            if (rest[i] < 0x80)
            {
                rest = rest[(i + 1)..];
                return value;
            }
        }
        throw new MalformedOtlpException("A protobuf number has no end.");
    }
}
