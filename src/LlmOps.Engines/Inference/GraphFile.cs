using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Inference;

/// <summary>Looks up single nodes of an ONNX file without reading its weights, which may be gigabytes inside of it.</summary>
internal static class GraphFile
{
    // Field numbers of onnx.proto.
    private const int ModelGraph = 7, GraphNode = 1;

    /// <summary>The operator whose output has this name, or null.</summary>
    public static string? Producer(string path, string output) => Nodes(path).FirstOrDefault(node => node.Output.Contains(output))?.OpType;

    /// <summary>Whether the graph has a node of this operator.</summary>
    public static bool Has(string path, string operatorType) => Nodes(path).Any(node => node.OpType == operatorType);

    private static IEnumerable<NodeProto> Nodes(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        foreach (var (field, length) in Fields(file, file.Length))
        {
            if (field != ModelGraph)
                continue;
            foreach (var (inner, size) in Fields(file, file.Position + length))
            {
                if (inner != GraphNode || size > 1 << 24)
                    continue;
                var bytes = new byte[size];
                file.ReadExactly(bytes);
                yield return NodeProto.Parser.ParseFrom(bytes);
            }
        }
    }

    // Each length-delimited field with its length; the stream stands at its content. What the caller leaves unread is skipped.
    private static IEnumerable<(int Field, long Length)> Fields(FileStream file, long end)
    {
        while (file.Position < end)
        {
            var key = Varint(file);
            switch (key & 7)
            {
                case 0: Varint(file); break;
                case 1: file.Position += 8; break;
                case 5: file.Position += 4; break;
                case 2:
                    var length = (long)Varint(file);
                    var next = file.Position + length;
                    if (length < 0 || next > end)
                        throw new InvalidModelException($"{Path.GetFileName(file.Name)} is damaged: a field ends after the file.");
                    yield return ((int)(key >> 3), length);
                    file.Position = next;
                    break;
                default: throw new InvalidModelException($"{Path.GetFileName(file.Name)} is damaged: it has a field of an unknown kind.");
            }
        }
    }

    private static ulong Varint(FileStream file)
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = file.ReadByte();
            if (next < 0)
                break;
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return value;
        }
        throw new InvalidModelException($"{Path.GetFileName(file.Name)} is damaged: a number does not end.");
    }
}
