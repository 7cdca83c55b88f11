using System.Buffers;
using System.Globalization;
using Google.Protobuf;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>
/// Parses a model file without reading its weights: long <c>raw_data</c> fields are left out of what the parser sees and come back as views
/// of the mapped file, so that opening a model of 2 GB costs the memory of its graph.
/// </summary>
internal static class MappedProto
{
    private const int MapFromBytes = 1024, MaxDepth = 30; // three levels of messages for each nested graph; the parser ends at 100
    private enum Message { Other, Model, Graph, Node, Attribute, Tensor }

    public static ModelProto Parse(MappedFile file, string label)
    {
        if (file.Length > int.MaxValue)
            throw new InvalidModelException($"{label} has {file.Length} bytes; a protobuf file ends at 2 GB, larger weights belong into external files.");
        // Nobody else can know the key, so a file cannot smuggle in a view of its own.
        var key = Guid.NewGuid().ToString("N");
        var skeleton = new ArrayBufferWriter<byte>();
        try
        {
            new Walk(file.Span(0, (int)file.Length), key).Copy(0, (int)file.Length, Message.Model, skeleton, 0);
            var proto = ModelProto.Parser.ParseFrom(skeleton.WrittenSpan);
            foreach (var tensor in proto.AllTensors())
                if (tensor.ExternalData.LastOrDefault(e => e.Key == key) is { } view)
                {
                    var at = view.Value.Split(',').Select(n => int.Parse(n, CultureInfo.InvariantCulture)).ToArray();
                    tensor.RawData = UnsafeByteOperations.UnsafeWrap(file.Memory(at[0], at[1]));
                    foreach (var entry in tensor.ExternalData.Where(e => e.Key == key).ToList())
                        tensor.ExternalData.Remove(entry);
                }
            return proto;
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidModelException($"{label} is damaged: {e.Message}");
        }
    }

    private readonly ref struct Walk(ReadOnlySpan<byte> all, string key)
    {
        private readonly ReadOnlySpan<byte> bytes = all;

        public void Copy(int start, int end, Message kind, ArrayBufferWriter<byte> into, int depth)
        {
            if (depth > MaxDepth)
                throw InvalidProtocol($"graphs are nested deeper than {MaxDepth}");
            for (var at = start; at < end;)
            {
                var field = at;
                var tag = Varint(ref at, end);
                switch (tag & 7)
                {
                    case 0:
                        Varint(ref at, end);
                        break;
                    case 1:
                        at = Advance(at, 8, end);
                        break;
                    case 5:
                        at = Advance(at, 4, end);
                        break;
                    case 2:
                        var length = Varint(ref at, end);
                        var content = at;
                        at = Advance(at, length, end);
                        if (length >= MapFromBytes && Child(kind, tag >> 3) is var child && child != Message.Other)
                        {
                            CopyNested(tag, content, at, kind, child, into, depth);
                            continue;
                        }
                        break;
                    default:
                        // Groups have no length; the parser judges them.
                        into.Write(bytes[field..end]);
                        return;
                }
                into.Write(bytes[field..at]);
            }
        }

        private void CopyNested(ulong tag, int content, int end, Message kind, Message child, ArrayBufferWriter<byte> into, int depth)
        {
            if (kind == Message.Tensor)
            {
                Write(into, 13 << 3 | 2, new StringStringEntryProto { Key = key, Value = string.Create(CultureInfo.InvariantCulture, $"{content},{end - content}") }.ToByteArray());
                return;
            }
            var nested = new ArrayBufferWriter<byte>();
            Copy(content, end, child, nested, depth + (child == Message.Graph ? 1 : 0));
            Write(into, tag, nested.WrittenSpan);
        }

        private static Message Child(Message kind, ulong field) => (kind, field) switch
        {
            (Message.Model, 7) or (Message.Attribute, 6) or (Message.Attribute, 11) => Message.Graph,
            (Message.Graph, 1) => Message.Node,
            (Message.Graph, 5) or (Message.Attribute, 5) or (Message.Attribute, 10) => Message.Tensor,
            (Message.Node, 5) => Message.Attribute,
            (Message.Tensor, 9) => Message.Tensor, // the raw data itself
            _ => Message.Other,
        };

        private static void Write(ArrayBufferWriter<byte> into, ulong tag, ReadOnlySpan<byte> content)
        {
            WriteVarint(into, tag);
            WriteVarint(into, (ulong)content.Length);
            into.Write(content);
        }

        private static void WriteVarint(ArrayBufferWriter<byte> into, ulong value)
        {
            var span = into.GetSpan(10);
            var n = 0;
            for (; value >= 0x80; value >>= 7)
                span[n++] = (byte)(value | 0x80);
            span[n++] = (byte)value;
            into.Advance(n);
        }

        private static int Advance(int at, ulong by, int end) => by <= (ulong)(end - at) ? at + (int)by : throw InvalidProtocol($"a field at byte {at} reaches beyond its message");

        private ulong Varint(ref int at, int end)
        {
            ulong value = 0;
            for (var shift = 0; shift < 64; shift += 7)
            {
                if (at >= end)
                    throw InvalidProtocol($"it ends inside a field at byte {at}");
                var b = bytes[at++];
                value |= (ulong)(b & 0x7f) << shift;
                if (b < 0x80)
                    return value;
            }
            throw InvalidProtocol($"a number at byte {at} does not end");
        }
    }

    private static InvalidModelException InvalidProtocol(string what) => new($"The ONNX file is damaged or cut off: {what}.");
}
