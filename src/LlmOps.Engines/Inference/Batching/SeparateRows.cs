namespace LlmOps.Engines.Inference.Batching;

/// <summary>Each row with a cache and a step of its own, one after the other: as exact as one alone, and no faster.</summary>
internal sealed class SeparateRows(DecoderSession decoder) : DecodeRows
{
    private const int CapacityStep = 256;
    private readonly BoundDecoder step = new(decoder.Step);
    private readonly List<KeyValueCache> rows = [];

    public override int Count => rows.Count;

    public override long Bytes => rows.Sum(r => r.Bytes);

    public override void Join(KeyValueCache source) => rows.Add(Copy(source));

    public override void Leave(int row, Action<Action<KeyValueCache, int>>? keep)
    {
        Release(rows[row]);
        rows[row] = rows[^1];
        rows.RemoveAt(rows.Count - 1);
    }

    public override void Step(ReadOnlySpan<int> tokens, RowLogits see)
    {
        for (var row = 0; row < rows.Count; row++)
        {
            if (rows[row].Length == rows[row].Capacity)
            {
                var full = rows[row];
                rows[row] = Copy(full);
                Release(full);
            }
            step.Run(rows[row], tokens.Slice(row, 1), CancellationToken.None);
            see(row, step.LastLogits(0));
        }
    }

    private KeyValueCache Copy(KeyValueCache source)
    {
        var capacity = Math.Min(decoder.Config.MaxPositionEmbeddings, (source.Length + source.Length / 2 + CapacityStep) / CapacityStep * CapacityStep);
        var copy = new KeyValueCache(decoder.Step.Form, decoder.Step.Memory, 1, Math.Max(capacity, source.Length + 1));
        if (copy.TryCopy(source, source.Length))
            return copy;
        copy.Dispose();
        throw new UnsupportedModelException("This graph's cache cannot be copied on the device: use the provider cpu.");
    }

    private void Release(KeyValueCache row)
    {
        step.Release(row);
        row.Dispose();
    }

    public override void Dispose()
    {
        foreach (var row in rows)
            Release(row);
        rows.Clear();
        step.Dispose();
    }
}
