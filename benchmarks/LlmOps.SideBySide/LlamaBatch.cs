namespace LlmOps.SideBySide;

/// <summary>Tokens of several sequences in one evaluation, as llama.cpp's server does it.</summary>
internal sealed unsafe partial class LlamaCpp
{
    /// <summary>One token of a sequence, at its place in it.</summary>
    public readonly record struct Placed(int Sequence, int Position, int Token, bool WantsLogits);

    /// <summary>Evaluates them and calls <paramref name="see"/> with the index and the most likely next token of each that wants logits.</summary>
    public void Evaluate(ReadOnlySpan<Placed> tokens, Action<int, int> see)
    {
        var count = tokens.Length;
        int* ids = stackalloc int[count], positions = stackalloc int[count], lengths = stackalloc int[count], sequences = stackalloc int[count];
        int** owners = stackalloc int*[count];
        sbyte* wanted = stackalloc sbyte[count];
        for (var i = 0; i < count; i++)
        {
            (ids[i], positions[i], lengths[i], sequences[i], wanted[i]) = (tokens[i].Token, tokens[i].Position, 1, tokens[i].Sequence, tokens[i].WantsLogits ? (sbyte)1 : (sbyte)0);
            owners[i] = sequences + i;
        }
        var result = llama_decode(context, new Batch { n_tokens = count, token = ids, pos = positions, n_seq_id = lengths, seq_id = owners, logits = wanted });
        if (result != 0)
            throw new InvalidOperationException($"llama_decode returned {result}.");
        llama_synchronize(context);
        for (var i = 0; i < count; i++)
            if (tokens[i].WantsLogits)
                see(i, System.Numerics.Tensors.TensorPrimitives.IndexOfMax(new ReadOnlySpan<float>(llama_get_logits_ith(context, i), vocabulary)));
    }

    /// <summary>Forgets one sequence.</summary>
    public void Forget(int sequence) => llama_memory_seq_rm(llama_get_memory(context), sequence, -1, -1);

    [System.Runtime.InteropServices.DllImport("llama")] private static extern byte llama_memory_seq_rm(nint memory, int sequence, int from, int to);
}
