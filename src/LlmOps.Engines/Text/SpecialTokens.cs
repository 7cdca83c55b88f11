namespace LlmOps.Engines.Text;

/// <summary>The control tokens of every tokenizer of this product; their ids are fixed so that a prompt can be built without looking them up.</summary>
public static class SpecialTokens
{
    /// <summary>Fills batches, id 0.</summary>
    public const string Pad = "<|pad|>";
    /// <summary>Starts a sequence, id 1.</summary>
    public const string Bos = "<|bos|>";
    /// <summary>Ends a sequence, id 2.</summary>
    public const string Eos = "<|eos|>";
    /// <summary>Starts what the user says, id 3.</summary>
    public const string User = "<|user|>";
    /// <summary>Starts what the model says, id 4.</summary>
    public const string Assistant = "<|assistant|>";

    /// <summary>All of them; the index is the id.</summary>
    public static IReadOnlyList<string> All { get; } = [Pad, Bos, Eos, User, Assistant];
}
