using System.Buffers.Binary;
using System.Text;
using LlmOps.Engines.Checkpoints;

namespace LlmOps.Engines.Onnx;

/// <summary>One tensor of an adapter file to be written.</summary>
/// <param name="Name">Graph input that it is for.</param>
/// <param name="Type">ONNX element type.</param>
/// <param name="Dims">Sizes.</param>
/// <param name="Read">Gives the bytes, when their turn comes.</param>
internal sealed record AdapterTensor(string Name, int Type, long[] Dims, Func<byte[]> Read)
{
    public long Length => Dims.Aggregate(ElementTypes.Bytes(Type, 1), (a, b) => checked(a * b));
}

/// <summary>
/// ONNX Runtime's <c>.onnx_adapter</c> format: a FlatBuffers file with the identifier TORT. The root table has format version, adapter version, model version
/// and a vector of parameters; a parameter has a name, dims (int64), an element type and its bytes. All offsets are 32-bit, so a file ends below 2 GiB.
/// </summary>
internal static class OnnxAdapterFile
{
    private const int FormatVersion = 1, Fields = 4, VtableBytes = 4 + 2 * Fields, TableBytes = 4 + 4 * Fields;
    private static readonly byte[] Identifier = "TORT"u8.ToArray();

    /// <summary>Writes the file whole: first all positions are reckoned, then each tensor is asked for its bytes in turn.</summary>
    /// <exception cref="UnsupportedModelException">The tensors take 2 GiB or more.</exception>
    public static void Write(string path, IReadOnlyList<AdapterTensor> tensors)
    {
        // Identifier and root offset, the root's vtable (padded to 4) and table, then the vector of offsets to the parameters.
        const int rootVtable = 8, root = rootVtable + VtableBytes, vector = root + TableBytes;
        long position = vector + 4 + 4L * tensors.Count;
        var places = new List<Place>();
        foreach (var tensor in tensors)
        {
            long vtable = Align(position, 4), table = vtable + VtableBytes, name = table + TableBytes;
            // The vectors' contents are aligned to 8; their lengths stand in the 4 bytes before.
            var dims = Align(name + 4 + Encoding.UTF8.GetByteCount(tensor.Name) + 1 + 4, 8) - 4;
            var data = Align(dims + 4 + 8 * tensor.Dims.Length + 4, 8) - 4;
            places.Add(new(vtable, table, name, dims, data));
            position = data + 4 + tensor.Length;
        }
        if (position > int.MaxValue)
            throw new UnsupportedModelException($"The adapter takes {position} bytes; the format ends at {int.MaxValue}. Adapt fewer modules, or use a smaller rank.");
        AtomicFile.Write(path, stream =>
        {
            var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
            writer.Write(root);
            writer.Write(Identifier);
            WriteVtable(writer);
            writer.Write(root - rootVtable);
            foreach (var number in new[] { FormatVersion, 1, 1, 4, tensors.Count }) // versions of format, adapter and model; the vector begins 4 bytes on
                writer.Write(number);
            for (var i = 0; i < places.Count; i++)
                writer.Write((int)(places[i].Table - (vector + 4 + 4 * i)));
            foreach (var (tensor, place) in tensors.Zip(places))
                WriteTensor(writer, tensor, place);
            Pad(writer, Align(position, 8));
            writer.Flush();
        });
    }

    private static void WriteTensor(BinaryWriter writer, AdapterTensor tensor, Place place)
    {
        Pad(writer, place.Vtable);
        WriteVtable(writer);
        writer.Write((int)(place.Table - place.Vtable));
        writer.Write((int)(place.Name - (place.Table + 4)));
        writer.Write((int)(place.Dims - (place.Table + 8)));
        writer.Write(tensor.Type);
        writer.Write((int)(place.Data - (place.Table + 16)));
        var name = Encoding.UTF8.GetBytes(tensor.Name);
        writer.Write(name.Length);
        writer.Write(name);
        Pad(writer, place.Dims);
        writer.Write(tensor.Dims.Length);
        foreach (var dim in tensor.Dims)
            writer.Write(dim);
        Pad(writer, place.Data);
        writer.Write((int)tensor.Length);
        var bytes = tensor.Read();
        if (bytes.Length != tensor.Length)
            throw new ArgumentException($"Tensor '{tensor.Name}' gave {bytes.Length} bytes; its shape needs {tensor.Length}.");
        writer.Write(bytes);
    }

    // Both tables have four fields of 4 bytes behind the 4 bytes that lead to the vtable.
    private static void WriteVtable(BinaryWriter writer)
    {
        foreach (ushort number in new[] { VtableBytes, TableBytes, 4, 8, 12, 16 })
            writer.Write(number);
    }

    private static void Pad(BinaryWriter writer, long position)
    {
        writer.Flush();
        while (writer.BaseStream.Position < position)
            writer.Write((byte)0);
    }

    private static long Align(long position, long to) => (position + to - 1) / to * to;

    private sealed record Place(long Vtable, long Table, long Name, long Dims, long Data);

    /// <summary>Reads a file that anybody wrote. The returned bytes are copies.</summary>
    /// <exception cref="InvalidModelException">It is no adapter file, or an offset or size in it is impossible.</exception>
    public static IReadOnlyList<(string Name, int Type, long[] Dims, byte[] Bytes)> Read(string path)
    {
        var label = Path.GetFileName(path);
        if (!File.Exists(path))
            throw new InvalidModelException($"There is no adapter file '{label}'.");
        var length = new FileInfo(path).Length;
        if (length is < 8 or > int.MaxValue)
            throw new InvalidModelException($"{label} has {length} bytes, which no adapter file has.");
        var file = File.ReadAllBytes(path);
        if (!file.AsSpan(4, 4).SequenceEqual(Identifier))
            throw new InvalidModelException($"{label} is no ONNX adapter file: it does not have the identifier TORT.");
        try
        {
            var reader = new TableReader(file, Int32(file, 0));
            if (reader.Int(0) != FormatVersion)
                throw new UnsupportedModelException($"{label} has format version {reader.Int(0)}; {FormatVersion} is supported.");
            return Parameters(file, reader.Offset(3), label);
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or OverflowException or IndexOutOfRangeException)
        {
            throw new InvalidModelException($"{label} is damaged: an offset points outside of the file.", e);
        }
    }

    private static List<(string, int, long[], byte[])> Parameters(byte[] file, int vector, string label)
    {
        var result = new List<(string, int, long[], byte[])>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        var count = Count(file, vector, 4);
        for (var i = 0; i < count; i++)
        {
            var at = vector + 4 + 4 * i;
            var parameter = new TableReader(file, checked(at + Int32(file, at)));
            int name = parameter.Offset(0), dims = parameter.Offset(1), type = parameter.Int(2), data = parameter.Offset(3);
            var text = Encoding.UTF8.GetString(file.AsSpan(name + 4, Count(file, name, 1)));
            var sizes = Enumerable.Range(0, Count(file, dims, 8)).Select(d => BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan(dims + 4 + 8 * d, 8))).ToArray();
            var bytes = file.AsSpan(data + 4, Count(file, data, 1)).ToArray();
            if (!names.Add(text))
                throw new InvalidModelException($"{label} has tensor '{text}' twice.");
            if (type is not (ElementTypes.Float or ElementTypes.Float16 or ElementTypes.BFloat16))
                throw new UnsupportedModelException($"{label}: tensor '{text}' is {ElementTypes.Name(type)}; supported: float32, float16, bfloat16.");
            if (sizes.Any(d => d < 0) || sizes.Aggregate((long)ElementTypes.Size(type), (a, b) => checked(a * b)) != bytes.Length)
                throw new InvalidModelException($"{label}: tensor '{text}' has {bytes.Length} bytes, but its shape [{string.Join(", ", sizes)}] does not.");
            result.Add((text, type, sizes, bytes));
        }
        return result;
    }

    private static int Int32(byte[] file, int at) => BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(at, 4));

    // A vector's length, checked against the end of the file before anything of that size is made.
    private static int Count(byte[] file, int at, int elementBytes)
    {
        var count = Int32(file, at);
        return count >= 0 && at + 4L + (long)count * elementBytes <= file.Length ? count : throw new ArgumentOutOfRangeException(nameof(at));
    }

    private readonly struct TableReader(byte[] file, int table)
    {
        private readonly int vtable = checked(table - Int32(file, table));

        public int Int(int field) => Int32(file, Field(field));

        public int Offset(int field) => checked(Field(field) + Int32(file, Field(field)));

        private int Field(int field)
        {
            var size = BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(vtable, 2));
            var slot = 4 + 2 * field;
            var offset = slot + 2 <= size ? BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(vtable + slot, 2)) : 0;
            return offset == 0 ? throw new ArgumentOutOfRangeException(nameof(field)) : checked(table + offset);
        }
    }
}
