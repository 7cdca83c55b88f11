namespace LlmOps.Engines.Checkpoints;

/// <summary>Element types of the safetensors format.</summary>
public enum TensorType
{
    /// <summary>One byte, 0 or 1.</summary>
    Bool,
    /// <summary>Unsigned 8 bits.</summary>
    U8,
    /// <summary>Signed 8 bits.</summary>
    I8,
    /// <summary>8-bit float, 5 exponent bits.</summary>
    F8E5M2,
    /// <summary>8-bit float, 4 exponent bits.</summary>
    F8E4M3,
    /// <summary>Signed 16 bits.</summary>
    I16,
    /// <summary>Unsigned 16 bits.</summary>
    U16,
    /// <summary>IEEE half.</summary>
    F16,
    /// <summary>The upper half of a single.</summary>
    BF16,
    /// <summary>Signed 32 bits.</summary>
    I32,
    /// <summary>Unsigned 32 bits.</summary>
    U32,
    /// <summary>IEEE single.</summary>
    F32,
    /// <summary>IEEE double.</summary>
    F64,
    /// <summary>Signed 64 bits.</summary>
    I64,
    /// <summary>Unsigned 64 bits.</summary>
    U64,
}

/// <summary>One tensor of a file.</summary>
/// <param name="Name">Name inside the checkpoint.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Row-major sizes; empty for a scalar.</param>
/// <param name="Offset">First byte, counted from the start of the file.</param>
/// <param name="Length">Size in bytes.</param>
public sealed record TensorEntry(string Name, TensorType Type, long[] Shape, long Offset, long Length);

/// <summary>Names and sizes of <see cref="TensorType"/> in the safetensors header.</summary>
public static class TensorTypes
{
    private static readonly (TensorType Type, string Name, int Size)[] Known =
    [
        (TensorType.Bool, "BOOL", 1), (TensorType.U8, "U8", 1), (TensorType.I8, "I8", 1), (TensorType.F8E5M2, "F8_E5M2", 1), (TensorType.F8E4M3, "F8_E4M3", 1),
        (TensorType.I16, "I16", 2), (TensorType.U16, "U16", 2), (TensorType.F16, "F16", 2), (TensorType.BF16, "BF16", 2), (TensorType.I32, "I32", 4),
        (TensorType.U32, "U32", 4), (TensorType.F32, "F32", 4), (TensorType.F64, "F64", 8), (TensorType.I64, "I64", 8), (TensorType.U64, "U64", 8),
    ];

    /// <summary>Name in the header, for example <c>F8_E4M3</c>.</summary>
    public static string HeaderName(this TensorType type) => Known[(int)type].Name;

    /// <summary>Bytes of one element.</summary>
    public static int SizeBytes(this TensorType type) => Known[(int)type].Size;

    /// <summary>The type with this header name, or null.</summary>
    public static TensorType? Find(string headerName)
    {
        foreach (var known in Known)
        {
            if (known.Name == headerName)
                return known.Type;
        }
        return null;
    }
}
