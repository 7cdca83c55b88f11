using System.Buffers.Binary;
using System.Runtime.InteropServices;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>Values of tensors that are stored in one of ONNX's typed fields, as the bytes that raw data would have.</summary>
internal static class TensorBytes
{
    public static byte[] FromTypedField(TensorProto tensor)
    {
        switch (tensor.DataType)
        {
            case ElementTypes.Float or ElementTypes.Complex64:
                return MemoryMarshal.AsBytes<float>(tensor.FloatData.ToArray()).ToArray();
            case ElementTypes.Double or ElementTypes.Complex128:
                return MemoryMarshal.AsBytes<double>(tensor.DoubleData.ToArray()).ToArray();
            case ElementTypes.Int64:
                return MemoryMarshal.AsBytes<long>(tensor.Int64Data.ToArray()).ToArray();
            case ElementTypes.UInt64:
                return MemoryMarshal.AsBytes<ulong>(tensor.Uint64Data.ToArray()).ToArray();
            case ElementTypes.UInt32:
                return MemoryMarshal.AsBytes<uint>(tensor.Uint64Data.Select(v => (uint)v).ToArray()).ToArray();
            case ElementTypes.String:
                throw new UnsupportedModelException($"Tensor '{tensor.Name}' holds texts; numbers are needed here.");
        }
        // Everything narrower travels in 32-bit numbers: one for each element, or for each byte where elements share one.
        var width = Math.Max(1, (int)ElementTypes.Bytes(tensor.DataType, 1));
        var bytes = new byte[tensor.Int32Data.Count * width];
        for (var i = 0; i < tensor.Int32Data.Count; i++)
        {
            var value = tensor.Int32Data[i];
            if (width == 4)
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4 * i), value);
            else if (width == 2)
                BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(2 * i), (ushort)value);
            else
                bytes[i] = (byte)value;
        }
        return bytes;
    }
}
