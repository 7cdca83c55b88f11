using System.Runtime.InteropServices;
using System.Text;
using Google.Protobuf;
using LlmOps.Engines.Onnx.Wire;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace LlmOps.Engines.Onnx;

/// <summary>A value for an input of a graph, or one that came out of it.</summary>
public sealed class NamedTensor
{
    internal NamedTensor(string name, int type, IEnumerable<long> shape, byte[] bytes) => (Name, Type, Shape, Bytes) = (name, type, [.. shape], bytes);

    private NamedTensor(string name, IEnumerable<long> shape, string[] texts) => (Name, Type, Shape, Bytes, Texts) = (name, ElementTypes.String, [.. shape], [], texts);

    /// <summary>Name of the input or output.</summary>
    public string Name { get; }

    /// <summary>Sizes of the axes; none for a scalar.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>For example <c>float32</c> or <c>int64</c>.</summary>
    public string ElementType => ElementTypes.Name(Type);

    internal int Type { get; }
    internal byte[] Bytes { get; }
    internal string[]? Texts { get; }

    /// <summary>A tensor of numbers or truth values: float, double, Half, long, int, short, sbyte, ulong, uint, ushort, byte or bool.</summary>
    /// <exception cref="ArgumentException">The shape and the values differ in size, or the element type is another one.</exception>
    public static NamedTensor Of<T>(string name, T[] values, params long[] shape) where T : unmanaged
    {
        var type = default(T) switch
        {
            float => ElementTypes.Float, double => ElementTypes.Double, Half => ElementTypes.Float16, long => ElementTypes.Int64, int => ElementTypes.Int32,
            short => ElementTypes.Int16, sbyte => ElementTypes.Int8, ulong => ElementTypes.UInt64, uint => ElementTypes.UInt32, ushort => ElementTypes.UInt16,
            byte => ElementTypes.UInt8, bool => ElementTypes.Bool,
            _ => throw new ArgumentException($"'{name}': {typeof(T).Name} is no element type of a tensor."),
        };
        EnsureCount(name, values.Length, shape);
        return new(name, type, shape, MemoryMarshal.AsBytes<T>(values).ToArray());
    }

    /// <summary>A tensor of texts.</summary>
    public static NamedTensor OfTexts(string name, string[] values, params long[] shape)
    {
        EnsureCount(name, values.Length, shape);
        return new(name, shape, values);
    }

    /// <summary>The values, row by row.</summary>
    /// <exception cref="ArgumentException">The elements have another size than <typeparamref name="T"/>.</exception>
    public ReadOnlySpan<T> Values<T>() where T : unmanaged => ElementTypes.Size(Type) == Marshal.SizeOf<T>() || typeof(T) == typeof(bool)
        ? MemoryMarshal.Cast<byte, T>(Bytes)
        : throw new ArgumentException($"'{Name}' holds {ElementType}, not {typeof(T).Name}.");

    private static void EnsureCount(string name, long count, long[] shape)
    {
        if (shape.Any(d => d < 0) || shape.Aggregate(1L, (a, b) => a * b) != count)
            throw new ArgumentException($"'{name}' has {count} values for the shape [{string.Join(", ", shape)}].");
    }

    /// <summary>The same floating-point values in another width.</summary>
    internal NamedTensor As(int type)
    {
        if (type == Type || !ElementTypes.IsFloat(type) || !ElementTypes.IsFloat(Type))
            return this;
        var values = HalfFloats.Widen(Bytes, Type);
        return type switch
        {
            ElementTypes.Float => new(Name, type, Shape, MemoryMarshal.AsBytes<float>(values).ToArray()),
            ElementTypes.Float16 => new(Name, type, Shape, MemoryMarshal.AsBytes<Half>(Array.ConvertAll(values, v => (Half)v)).ToArray()),
            ElementTypes.BFloat16 => new(Name, type, Shape, MemoryMarshal.AsBytes<ushort>(Array.ConvertAll(values, HalfFloats.ToBFloat16)).ToArray()),
            _ => new(Name, type, Shape, MemoryMarshal.AsBytes<double>(Array.ConvertAll(values, v => (double)v)).ToArray()),
        };
    }

    internal OrtValue ToOrt()
    {
        long[] shape = [.. Shape];
        if (Texts is not null)
        {
            var texts = OrtValue.CreateTensorWithEmptyStrings(OrtAllocator.DefaultInstance, shape);
            for (var i = 0; i < Texts.Length; i++)
                texts.StringTensorSetElementAt(Texts[i].AsSpan(), i);
            return texts;
        }
        var value = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, (TensorElementType)Type, shape);
        if (Bytes.Length > 0)
            Bytes.CopyTo(value.GetTensorMutableRawData());
        return value;
    }

    internal static NamedTensor FromOrt(string name, OrtValue value)
    {
        if (!value.IsTensor)
            throw new UnsupportedModelException($"'{name}' is {value.OnnxType}; only tensors are compared.");
        var shape = value.GetTensorTypeAndShape();
        return shape.ElementDataType == TensorElementType.String ? new(name, shape.Shape, value.GetStringTensorAsArray())
            : new(name, (int)shape.ElementDataType, shape.Shape, shape.ElementCount == 0 ? [] : value.GetTensorMutableRawData().ToArray());
    }

    internal TensorProto ToProto()
    {
        var proto = new TensorProto { Name = Name, DataType = Type, Dims = { Shape } };
        if (Texts is not null)
            proto.StringData.AddRange(Texts.Select(ByteString.CopyFromUtf8));
        else
            proto.RawData = UnsafeByteOperations.UnsafeWrap(Bytes);
        return proto;
    }

    internal static NamedTensor FromProto(TensorProto proto) => proto.DataType == ElementTypes.String
        ? new(proto.Name, proto.Dims, [.. proto.StringData.Select(s => s.ToStringUtf8())])
        : new(proto.Name, proto.DataType, proto.Dims, proto.RawData.ToByteArray());
}
