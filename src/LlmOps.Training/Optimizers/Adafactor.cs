using System.Numerics.Tensors;
using LlmOps.Training.Architectures;

namespace LlmOps.Training.Optimizers;

/// <summary>
/// Adafactor (Shazeer and Stern 2018) without relative steps and without first moment: the second moment of a matrix is kept as the means of its rows R and
/// columns C, v̂ᵢⱼ = Rᵢ·Cⱼ / mean(R), with β₂ₜ = 1 - t^-0.8; the update g/√v̂ is scaled down to a root mean square of 1 over each parameter. Vectors
/// keep their whole second moment. A tensor of more dimensions is a matrix of its first by all others. Weight decay is decoupled: w ← (1 - ηλ)w.
/// </summary>
/// <remarks>Work is cut by rows in a way that depends on shapes only, and sums over parts are taken in their order: threads do not change the result.</remarks>
public sealed class Adafactor : Optimizer
{
    // The paper's ε₁, added to squares; its d.
    private const float Epsilon = 1e-30f;
    private const double ClipThreshold = 1;
    private const int ValuesPerPart = 1 << 15;

    private readonly FlatParameters parameters;
    private readonly OptimizerOptions options;
    private readonly Matrix[] matrices;
    private readonly Part[] parts;
    private readonly float[] rows;
    private readonly float[] columns;
    private readonly float[] columnFactors;
    private readonly double[] partSums;
    private readonly float[] partColumns;

    /// <summary>Second moments start at zero; the first step takes the first squares whole.</summary>
    /// <param name="parameters">Trainable parameters.</param>
    /// <param name="options">Decay and penalty.</param>
    public Adafactor(FlatParameters parameters, OptimizerOptions options)
    {
        (this.parameters, this.options) = (parameters, options);
        (matrices, parts) = Cut(parameters);
        rows = new float[matrices.Sum(m => m.Rows)];
        columns = new float[matrices.Sum(m => m.Columns)];
        columnFactors = new float[columns.Length];
        partSums = new double[parts.Length];
        partColumns = new float[parts.Sum(p => matrices[p.Matrix].Columns)];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, float[] Values)> State => [("row_second_moment", rows), ("column_second_moment", columns)];

    /// <inheritdoc/>
    public override unsafe void Step(int step, double learningRate, double gradientScale)
    {
        float beta = (float)(1 - Math.Pow(step, -0.8)), scale = (float)gradientScale, l1 = (float)options.L1, decay = (float)(1 - learningRate * options.WeightDecay);
        fixed (float* valuesAt = parameters.Values, gradientsAt = parameters.Gradients)
        {
            nint values = (nint)valuesAt, gradients = (nint)gradientsAt;
            Parallel.For(0, parts.Length, FlatPass.Threads, i => Average(parts[i], values, gradients, beta, scale, l1));
            for (int i = 0; i < matrices.Length; i++) AverageColumns(i, beta);
            Parallel.For(0, parts.Length, FlatPass.Threads, i => partSums[i] = SquaredUpdate(parts[i], gradients));
            Parallel.For(0, parts.Length, FlatPass.Threads, i => Update(parts[i], values, gradients, learningRate, decay));
        }
    }

    // Scales the gradients in place, takes their squares into the rows' means and sums the part's columns.
    private unsafe void Average(Part part, nint values, nint gradients, float beta, float scale, float l1)
    {
        Matrix matrix = matrices[part.Matrix];
        Span<float> sums = partColumns.AsSpan(part.ColumnsAt, matrix.Columns);
        sums.Clear();
        for (int row = part.FirstRow; row < part.EndRow; row++)
        {
            int at = matrix.Start + row * matrix.Columns;
            var gradient = new Span<float>((float*)gradients + at, matrix.Columns);
            if (scale != 1) TensorPrimitives.Multiply(gradient, scale, gradient);
            if (l1 != 0 && matrix.Decays)
            {
                var value = new ReadOnlySpan<float>((float*)values + at, matrix.Columns);
                for (int j = 0; j < value.Length; j++) gradient[j] += l1 * Math.Sign(value[j]);
            }
            TensorPrimitives.MultiplyAdd(gradient, gradient, sums, sums);
            ref float mean = ref rows[matrix.RowsAt + row];
            mean = beta * mean + (1 - beta) * (TensorPrimitives.SumOfSquares<float>(gradient) / matrix.Columns + Epsilon);
        }
    }

    // Factors with v̂ᵢⱼ^-½ = 1/√Rᵢ · √mean(R)/√Cⱼ; a vector is a matrix of one row, R = 1 for it.
    private void AverageColumns(int index, float beta)
    {
        Matrix matrix = matrices[index];
        var sums = new double[matrix.Columns];
        foreach (Part part in parts.AsSpan(matrix.FirstPart, matrix.PartCount))
        {
            for (int j = 0; j < sums.Length; j++) sums[j] += partColumns[part.ColumnsAt + j];
        }
        double mean = 0;
        foreach (float row in rows.AsSpan(matrix.RowsAt, matrix.Rows)) mean += row;
        double root = Math.Sqrt(matrix.IsVector ? 1 : mean / matrix.Rows);
        for (int j = 0; j < sums.Length; j++)
        {
            ref float column = ref columns[matrix.ColumnsAt + j];
            column = beta * column + (1 - beta) * (float)(sums[j] / matrix.Rows + Epsilon);
            columnFactors[matrix.ColumnsAt + j] = (float)(root / Math.Sqrt(column));
        }
    }

    private unsafe double SquaredUpdate(Part part, nint gradients)
    {
        Matrix matrix = matrices[part.Matrix];
        ReadOnlySpan<float> factors = columnFactors.AsSpan(matrix.ColumnsAt, matrix.Columns);
        Span<float> update = partColumns.AsSpan(part.ColumnsAt, matrix.Columns);
        double sum = 0;
        for (int row = part.FirstRow; row < part.EndRow; row++)
        {
            TensorPrimitives.Multiply(new ReadOnlySpan<float>((float*)gradients + matrix.Start + row * matrix.Columns, matrix.Columns), factors, update);
            TensorPrimitives.Multiply(update, RowFactor(matrix, row), update);
            sum += TensorPrimitives.SumOfSquares<float>(update);
        }
        return sum;
    }

    private unsafe void Update(Part part, nint values, nint gradients, double learningRate, float decay)
    {
        Matrix matrix = matrices[part.Matrix];
        double sum = 0;
        foreach (double each in partSums.AsSpan(matrix.FirstPart, matrix.PartCount)) sum += each;
        double clip = Math.Max(1, Math.Sqrt(sum / ((long)matrix.Rows * matrix.Columns)) / ClipThreshold);
        float rate = (float)(-learningRate / clip), kept = matrix.Decays ? decay : 1;
        ReadOnlySpan<float> factors = columnFactors.AsSpan(matrix.ColumnsAt, matrix.Columns);
        Span<float> update = partColumns.AsSpan(part.ColumnsAt, matrix.Columns);
        for (int row = part.FirstRow; row < part.EndRow; row++)
        {
            int at = matrix.Start + row * matrix.Columns;
            var value = new Span<float>((float*)values + at, matrix.Columns);
            TensorPrimitives.Multiply(new ReadOnlySpan<float>((float*)gradients + at, matrix.Columns), factors, update);
            TensorPrimitives.Multiply(update, RowFactor(matrix, row) * rate, update);
            TensorPrimitives.MultiplyAdd(value, kept, update, value);
        }
    }

    private float RowFactor(Matrix matrix, int row) => matrix.IsVector ? 1 : (float)(1 / Math.Sqrt(rows[matrix.RowsAt + row]));

    private static (Matrix[], Part[]) Cut(FlatParameters parameters)
    {
        var matrices = new List<Matrix>();
        var parts = new List<Part>();
        int rowsAt = 0, columnsAt = 0, partColumnsAt = 0;
        for (int i = 0; i < parameters.Shapes.Count; i++)
        {
            ParameterShape shape = parameters.Shapes[i];
            int rows = shape.Shape.Length > 1 && shape.Shape[0] < shape.Count ? (int)shape.Shape[0] : 1, columns = shape.Count / rows, rowsPerPart = Math.Max(1, ValuesPerPart / columns), firstPart = parts.Count;
            for (int row = 0; row < rows; row += rowsPerPart, partColumnsAt += columns)
                parts.Add(new Part(i, row, Math.Min(rows, row + rowsPerPart), partColumnsAt));
            matrices.Add(new Matrix(parameters.Offsets[i], rows, columns, rows == 1, shape.Decays, rowsAt, columnsAt, firstPart, parts.Count - firstPart));
            (rowsAt, columnsAt) = (rowsAt + rows, columnsAt + columns);
        }
        return ([.. matrices], [.. parts]);
    }

    private readonly record struct Matrix(int Start, int Rows, int Columns, bool IsVector, bool Decays, int RowsAt, int ColumnsAt, int FirstPart, int PartCount);

    private readonly record struct Part(int Matrix, int FirstRow, int EndRow, int ColumnsAt);
}
