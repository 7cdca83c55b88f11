using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.Inference;

/// <summary>Running comparison of two graphs' outputs, whatever their types.</summary>
internal sealed class OutputDifference
{
    private double squaredDifference, squaredReference;
    private long agreeing;

    public int Rows { get; private set; }
    public double MaxAbs { get; private set; }
    public double RelativeL2 => squaredDifference == 0 ? 0 : Math.Sqrt(squaredDifference / Math.Max(squaredReference, 1e-300));
    public double ArgmaxAgreement => Rows == 0 ? 1 : (double)agreeing / Rows;
    public string? NotFinite { get; private set; }

    public void Add(IReadOnlyList<NamedTensor> reference, IReadOnlyList<NamedTensor> actual)
    {
        foreach (var (i, expected) in reference.Index())
        {
            var found = i < actual.Count && actual[i].Name == expected.Name ? actual[i]
                : throw new InvalidModelException($"The written model has no output '{expected.Name}' at place {i}.");
            if (!expected.Shape.SequenceEqual(found.Shape))
                throw new InvalidModelException($"Output '{expected.Name}' is [{string.Join(", ", found.Shape)}] in the written model and [{string.Join(", ", expected.Shape)}] in its source.");
            if (expected.Texts is null)
                Add(expected.Name, Numbers(expected), Numbers(found), (int)(expected.Shape.Count == 0 ? 1 : Math.Max(1, expected.Shape[^1])));
            else if (!expected.Texts.SequenceEqual(found.Texts!))
                throw new InvalidModelException($"Output '{expected.Name}' holds other texts in the written model than in its source.");
        }
    }

    private void Add(string name, double[] expected, double[] found, int width)
    {
        for (var row = 0; row < expected.Length / width; row++)
        {
            int best = row * width, chosen = row * width;
            for (var i = row * width; i < (row + 1) * width; i++)
            {
                // The source's own infinities, for example of a masked score, are not the pass's doing.
                if (!double.IsFinite(expected[i]))
                    continue;
                if (!double.IsFinite(found[i]))
                    NotFinite ??= name;
                var difference = Math.Abs(expected[i] - found[i]);
                MaxAbs = double.IsNaN(difference) ? difference : Math.Max(MaxAbs, difference);
                squaredDifference += difference * difference;
                squaredReference += expected[i] * expected[i];
                best = expected[i] > expected[best] ? i : best;
                chosen = found[i] > found[chosen] ? i : chosen;
            }
            Rows++;
            agreeing += best == chosen ? 1 : 0;
        }
    }

    private static double[] Numbers(NamedTensor tensor)
    {
        double[] Each<T>(Func<T, double> value) where T : unmanaged
        {
            var values = tensor.Values<T>();
            var result = new double[values.Length];
            for (var i = 0; i < result.Length; i++)
                result[i] = value(values[i]);
            return result;
        }
        return tensor.Type switch
        {
            ElementTypes.Float or ElementTypes.Float16 or ElementTypes.BFloat16 => Array.ConvertAll(HalfFloats.Widen(tensor.Bytes, tensor.Type), v => (double)v),
            ElementTypes.Double => Each<double>(v => v),
            ElementTypes.Int64 => Each<long>(v => v),
            ElementTypes.UInt64 => Each<ulong>(v => v),
            ElementTypes.Int32 => Each<int>(v => v),
            ElementTypes.UInt32 => Each<uint>(v => v),
            ElementTypes.Int16 => Each<short>(v => v),
            ElementTypes.UInt16 => Each<ushort>(v => v),
            ElementTypes.Int8 => Each<sbyte>(v => v),
            ElementTypes.UInt8 or ElementTypes.Bool => Each<byte>(v => v),
            _ => throw new UnsupportedModelException($"Output '{tensor.Name}' holds {tensor.ElementType}, which is not compared here."),
        };
    }
}
