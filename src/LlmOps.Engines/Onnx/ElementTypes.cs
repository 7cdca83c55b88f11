namespace LlmOps.Engines.Onnx;

/// <summary>Element type numbers of ONNX tensors.</summary>
internal static class ElementTypes
{
    public const int Float = 1, UInt8 = 2, Int8 = 3, UInt16 = 4, Int16 = 5, Int32 = 6, Int64 = 7, String = 8, Bool = 9, Float16 = 10, Double = 11,
        UInt32 = 12, UInt64 = 13, Complex64 = 14, Complex128 = 15, BFloat16 = 16, UInt4 = 21, Int4 = 22, Float4 = 23;

    // Index = element type number. 17 to 20 and 24 are the 8-bit floats, 25 and 26 the 2-bit integers.
    private static readonly (string Name, int Bits)[] Known =
    [
        ("undefined", 0), ("float32", 32), ("uint8", 8), ("int8", 8), ("uint16", 16), ("int16", 16), ("int32", 32), ("int64", 64), ("string", 0), ("bool", 8),
        ("float16", 16), ("float64", 64), ("uint32", 32), ("uint64", 64), ("complex64", 64), ("complex128", 128), ("bfloat16", 16),
        ("float8e4m3fn", 8), ("float8e4m3fnuz", 8), ("float8e5m2", 8), ("float8e5m2fnuz", 8), ("uint4", 4), ("int4", 4), ("float4e2m1", 4),
        ("float8e8m0", 8), ("uint2", 2), ("int2", 2),
    ];

    public static bool IsKnown(int type) => type > 0 && type < Known.Length;

    /// <summary>The floating-point types that are computed with here.</summary>
    public static bool IsFloat(int type) => type is Float or Double or Float16 or BFloat16;

    public static string Name(int type) => type >= 0 && type < Known.Length ? Known[type].Name : $"type {type}";

    /// <summary>Bytes of one element.</summary>
    public static int Size(int type) => IsKnown(type) && Known[type].Bits >= 8
        ? Known[type].Bits / 8
        : throw new UnsupportedModelException($"ONNX element type {type} ({Name(type)}) has no whole number of bytes for an element.");

    /// <summary>Bytes of <paramref name="count"/> elements; several elements of less than 8 bits share a byte.</summary>
    public static long Bytes(int type, long count) => IsKnown(type) && Known[type].Bits > 0
        ? checked(count * Known[type].Bits + 7) / 8
        : throw new UnsupportedModelException($"ONNX element type {type} ({Name(type)}) has no fixed size.");
}
