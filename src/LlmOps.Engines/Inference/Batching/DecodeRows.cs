namespace LlmOps.Engines.Inference.Batching;

/// <summary>Is shown what may follow a row's last token; valid during the call.</summary>
internal delegate void RowLogits(int row, ReadOnlySpan<float> logits);

/// <summary>Sequences of different lengths that each grow by one token in a step. The last row takes the place of one that leaves.</summary>
internal abstract class DecodeRows : IDisposable
{
    /// <summary>
    /// Rows of one buffer where attention appends in place, each with its own length. A graph that writes its cache anew has one length for all rows, and one that
    /// quantizes activations for a step as a whole would let rows change each other's tokens: there each row has a step of its own.
    /// </summary>
    public static DecodeRows Of(DecoderSession decoder, bool together) =>
        together && decoder.Step.Form.AppendsInPlace && decoder.Step.Memory.IsReadable ? new SlotRows(decoder) : new SeparateRows(decoder);

    public abstract int Count { get; }

    /// <summary>Bytes of keys and values.</summary>
    public abstract long Bytes { get; }

    /// <summary>Adds a row that begins with what was computed by itself.</summary>
    public abstract void Join(KeyValueCache source);

    /// <summary>Takes a row out, whose tokens may be kept for prompts that begin like it.</summary>
    public abstract void Leave(int row, Action<Action<KeyValueCache, int>>? keep);

    /// <summary>Appends a token to each row and shows what follows.</summary>
    public abstract void Step(ReadOnlySpan<int> tokens, RowLogits see);

    public abstract void Dispose();
}
