using System.Numerics;
using System.Numerics.Tensors;

namespace LlmOps.Training.Architectures.Kernels;

/// <summary>One document and one key head: what a single thread computes.</summary>
internal readonly unsafe ref struct AttentionUnit<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    [ThreadStatic] private static T[]? scratch;

    private readonly AttentionShape shape;
    private readonly int start, length, group, columns;
    private readonly T* queries, keys, values;
    private readonly T scale;

    public AttentionUnit(AttentionShape shape, int start, int length, int group, T* queries, T* keys, T* values)
    {
        (this.shape, this.start, this.length, this.group) = (shape, start, length, group);
        this.queries = queries;
        this.keys = keys;
        this.values = values;
        scale = T.CreateTruncating(shape.Scale);
        // Columns of whole vectors: what stands beyond the document is zero and never read as a score.
        columns = (length + Vector<T>.Count - 1) / Vector<T>.Count * Vector<T>.Count;
    }

    private int QueryStride => shape.Heads * shape.Size;

    private int KeyStride => shape.KvHeads * shape.Size;

    public void Forward(int head, T* mixed, T[] logSums)
    {
        T[] memory = Scratch(shape.Size * columns + columns);
        fixed (T* turned = memory)
        {
            T* scores = turned + shape.Size * columns;
            Transpose(keys, turned);
            for (int i = 0; i < length; i++)
            {
                long at = (long)(start + i) * QueryStride + head * shape.Size;
                Dots(queries + at, turned, scores, i + 1);
                var row = new Span<T>(scores, i + 1);
                TensorPrimitives.Multiply(row, scale, row);
                T highest = TensorPrimitives.Max<T>(row);
                T sum = ExpLess(row, highest);
                logSums[(start + i) * shape.Heads + head] = highest + T.Log(sum);
                TensorPrimitives.Divide(row, sum, row);
                WeightedSum(scores, 1, values + (long)start * KeyStride + group * shape.Size, KeyStride, i + 1, mixed + at, add: false);
            }
        }
    }

    public void Backward(int head, bool first, T* mixed, T* slope, T[] logSums, T* ofQueries, T* ofKeys, T* ofValues)
    {
        int table = shape.Size * columns, square = length * columns;
        T[] memory = Scratch(2 * table + 2 * square);
        fixed (T* turnedKeys = memory)
        {
            T* turnedValues = turnedKeys + table, shares = turnedValues + table, slopes = shares + square;
            Transpose(keys, turnedKeys);
            Transpose(values, turnedValues);
            for (int i = 0; i < length; i++)
            {
                long at = (long)(start + i) * QueryStride + head * shape.Size;
                Span<T> p = new(shares + i * columns, i + 1), s = new(slopes + i * columns, i + 1);
                Dots(queries + at, turnedKeys, shares + i * columns, i + 1);
                TensorPrimitives.Multiply(p, scale, p);
                _ = ExpLess(p, logSums[(start + i) * shape.Heads + head]);
                Dots(slope + at, turnedValues, slopes + i * columns, i + 1);
                // d score = p·(dp - Σ p·dp), and Σ p·dp = dy·y.
                T along = TensorPrimitives.Dot(new ReadOnlySpan<T>(slope + at, shape.Size), new ReadOnlySpan<T>(mixed + at, shape.Size));
                TensorPrimitives.Subtract(s, along, s);
                TensorPrimitives.Multiply(s, p, s);
                TensorPrimitives.Multiply(s, scale, s);
                WeightedSum(slopes + i * columns, 1, keys + (long)start * KeyStride + group * shape.Size, KeyStride, i + 1, ofQueries + at, add: false);
            }
            for (int j = 0; j < length; j++)
            {
                long at = (long)(start + j) * KeyStride + group * shape.Size, from = (long)(start + j) * QueryStride + head * shape.Size;
                WeightedSum(slopes + j * columns + j, columns, queries + from, QueryStride, length - j, ofKeys + at, !first);
                WeightedSum(shares + j * columns + j, columns, slope + from, QueryStride, length - j, ofValues + at, !first);
            }
        }
    }

    // [length, size] of this unit's head to [size, columns].
    private void Transpose(T* source, T* target)
    {
        for (int j = 0; j < length; j++)
        {
            T* row = source + (long)(start + j) * KeyStride + group * shape.Size;
            for (int d = 0; d < shape.Size; d++) target[d * columns + j] = row[d];
        }
        for (int j = length; j < columns; j++)
        {
            for (int d = 0; d < shape.Size; d++) target[d * columns + j] = T.Zero;
        }
    }

    // out[j] = Σ a[d]·turned[d, j] for j below count, rounded up to whole vectors.
    private void Dots(T* a, T* turned, T* output, int count)
    {
        int width = Vector<T>.Count, j = 0;
        for (; j + 3 * width < count; j += 4 * width)
        {
            // The fourth vector holds at least one column that is asked for, so it lies within the columns.
            Vector<T> s0 = default, s1 = default, s2 = default, s3 = default;
            for (int d = 0; d < shape.Size; d++)
            {
                T* row = turned + d * columns + j;
                var each = new Vector<T>(a[d]);
                s0 = HostKernel.MultiplyAdd(each, Vector.Load(row), s0);
                s1 = HostKernel.MultiplyAdd(each, Vector.Load(row + width), s1);
                s2 = HostKernel.MultiplyAdd(each, Vector.Load(row + 2 * width), s2);
                s3 = HostKernel.MultiplyAdd(each, Vector.Load(row + 3 * width), s3);
            }
            Vector.Store(s0, output + j);
            Vector.Store(s1, output + j + width);
            Vector.Store(s2, output + j + 2 * width);
            Vector.Store(s3, output + j + 3 * width);
        }
        for (; j < count; j += width)
        {
            Vector<T> sum = default;
            for (int d = 0; d < shape.Size; d++) sum = HostKernel.MultiplyAdd(new Vector<T>(a[d]), Vector.Load(turned + d * columns + j), sum);
            Vector.Store(sum, output + j);
        }
    }

    // out = Σ weights[n·weightStride]·rows[n·rowStride], added to what is there when asked.
    private void WeightedSum(T* weights, int weightStride, T* rows, int rowStride, int count, T* output, bool add)
    {
        int width = Vector<T>.Count, d = 0;
        for (; d <= shape.Size - 4 * width; d += 4 * width)
        {
            Vector<T> s0 = default, s1 = default, s2 = default, s3 = default;
            for (int n = 0; n < count; n++)
            {
                T* row = rows + (long)n * rowStride + d;
                var each = new Vector<T>(weights[(long)n * weightStride]);
                s0 = HostKernel.MultiplyAdd(each, Vector.Load(row), s0);
                s1 = HostKernel.MultiplyAdd(each, Vector.Load(row + width), s1);
                s2 = HostKernel.MultiplyAdd(each, Vector.Load(row + 2 * width), s2);
                s3 = HostKernel.MultiplyAdd(each, Vector.Load(row + 3 * width), s3);
            }
            Put(s0, output + d, add);
            Put(s1, output + d + width, add);
            Put(s2, output + d + 2 * width, add);
            Put(s3, output + d + 3 * width, add);
        }
        for (; d < shape.Size; d += width)
        {
            Vector<T> sum = default;
            for (int n = 0; n < count; n++) sum = HostKernel.MultiplyAdd(new Vector<T>(weights[(long)n * weightStride]), Vector.Load(rows + (long)n * rowStride + d), sum);
            Put(sum, output + d, add);
        }
    }

    private static void Put(Vector<T> value, T* at, bool add) => Vector.Store(add ? Vector.Load(at) + value : value, at);

    // x ← exp(x - less); the sum of it.
    private static T ExpLess(Span<T> x, T less)
    {
        TensorPrimitives.Subtract(x, less, x);
        TensorPrimitives.Exp<T>(x, x);
        return TensorPrimitives.Sum<T>(x);
    }

    private static T[] Scratch(int values)
    {
        if (scratch is null || scratch.Length < values) scratch = new T[values];
        return scratch;
    }
}
