namespace LlmOps.Engines.Onnx;

/// <summary>Element type numbers of ONNX tensors that this library reads or writes.</summary>
internal static class ElementTypes
{
    public const int Float = 1, UInt8 = 2, Int8 = 3, Int32 = 6, Int64 = 7, Float16 = 10;

    public static int Size(int type) => type switch
    {
        Float or Int32 => 4,
        UInt8 or Int8 => 1,
        Int64 => 8,
        Float16 => 2,
        _ => throw new UnsupportedModelException($"ONNX element type {type} is not supported here."),
    };
}
