using System.Numerics.Tensors;

namespace LlmOps.Engines.Checkpoints;

/// <summary>The arithmetic of merging, in single precision: W + s·B·A, and with DoRA each output's row brought to its trained length.</summary>
internal static class LoraUpdate
{
    /// <summary>Changes the weights in place.</summary>
    /// <param name="weights">[out, in]; [in, out] with <paramref name="inputsFirst"/>; [rows, width] of an embedding.</param>
    /// <param name="target">The module.</param>
    /// <param name="a">[rank, in].</param>
    /// <param name="b">[out, rank].</param>
    /// <param name="magnitude">[out], or null.</param>
    /// <param name="inputsFirst">Whether the weights' rows belong to A's columns.</param>
    public static void Apply(float[] weights, LoraTarget target, float[] a, float[] b, float[]? magnitude, bool inputsFirst)
    {
        int rank = target.Rank, columns = inputsFirst ? target.Outputs : target.Inputs, rows = weights.Length / columns;
        // Every row of the result is a mixture of rank rows: A's own, or B's columns.
        var mixed = inputsFirst ? Transpose(b, target.Outputs, rank) : a;
        Parallel.For(0, rows, row =>
        {
            var values = weights.AsSpan(row * columns, columns);
            for (var k = 0; k < rank; k++)
            {
                var share = inputsFirst ? a[k * rows + row] : b[row * rank + k];
                TensorPrimitives.MultiplyAdd(mixed.AsSpan(k * columns, columns), (float)(target.Scale * share), values, values);
            }
        });
        if (magnitude is not null)
            Lengthen(weights, magnitude, inputsFirst);
    }

    private static void Lengthen(float[] weights, float[] magnitude, bool inputsFirst)
    {
        int outputs = magnitude.Length, inputs = weights.Length / outputs;
        for (var o = 0; o < outputs; o++)
        {
            double square = 0;
            for (var i = 0; i < inputs; i++)
            {
                double w = weights[inputsFirst ? i * outputs + o : o * inputs + i];
                square += w * w;
            }
            var factor = (float)(magnitude[o] / Math.Sqrt(square));
            for (var i = 0; i < inputs; i++)
                weights[inputsFirst ? i * outputs + o : o * inputs + i] *= factor;
        }
    }

    private static float[] Transpose(float[] values, int rows, int columns)
    {
        var result = new float[values.Length];
        Onnx.Matrix.Transpose<float>(values, rows, columns, result, rows);
        return result;
    }
}
