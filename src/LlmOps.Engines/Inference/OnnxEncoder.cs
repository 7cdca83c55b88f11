using System.Globalization;
using LlmOps.Engines.Onnx;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace LlmOps.Engines.Inference;

/// <summary>An exported encoder: hidden states and, where the graph pools, one vector for each text. Safe to call from several threads.</summary>
public sealed class OnnxEncoder : IDisposable
{
    private readonly InferenceSession session;

    private OnnxEncoder(InferenceSession session)
    {
        this.session = session;
        MaxTokens = Number(EncoderGraph.MaxTokensKey, 512);
        PadTokenId = Number(EncoderGraph.PadKey, 0);
        HasTokenTypes = session.InputMetadata.ContainsKey(EncoderGraph.TokenTypes);
        HasSentence = session.OutputMetadata.ContainsKey(EncoderGraph.Sentence);
        Dimension = session.OutputMetadata[EncoderGraph.Hidden].Dimensions[^1];
    }

    /// <summary>Longest sequence, in tokens: the model's positions, or less when it was trained on shorter texts. 512 when the file does not say.</summary>
    public int MaxTokens { get; }

    /// <summary>Width of a hidden state and of a sentence vector.</summary>
    public int Dimension { get; }

    /// <summary>Whether the graph distinguishes the two parts of a pair.</summary>
    public bool HasTokenTypes { get; }

    /// <summary>Whether the graph gives a vector for each text.</summary>
    public bool HasSentence { get; }

    internal int PadTokenId { get; }

    /// <summary>Opens the ONNX folder.</summary>
    /// <exception cref="InvalidModelException">The graph is missing, damaged, or is no encoder.</exception>
    public static OnnxEncoder Load(string folder, SessionSettings? settings = null) => Checked(OnnxSession.Open(folder, settings ?? new()));

    /// <summary>The same graph with further tensors as outputs; the weights stay where they are.</summary>
    internal static OnnxEncoder LoadWithOutputs(string folder, IEnumerable<string> tensors) =>
        Checked(ProbedGraph.Open(folder, [.. tensors.Where(t => t is not (EncoderGraph.Hidden or EncoderGraph.Sentence))]));

    private static OnnxEncoder Checked(InferenceSession session)
    {
        var problem = new[] { EncoderGraph.InputIds, EncoderGraph.AttentionMask }.FirstOrDefault(name => !session.InputMetadata.ContainsKey(name)) is { } missing
                ? $"The graph has no input '{missing}': it is not an encoder."
            : !session.OutputMetadata.TryGetValue(EncoderGraph.Hidden, out var hidden) ? $"The graph has no output '{EncoderGraph.Hidden}': it is not an encoder."
            : hidden.ElementDataType != TensorElementType.Float || hidden.Dimensions is not [_, _, > 0] ? $"The output '{EncoderGraph.Hidden}' is not [batch, sequence, width] of 32-bit floats."
            : null;
        if (problem is null)
            return new(session);
        session.Dispose();
        throw new InvalidModelException(problem);
    }

    /// <summary>Hidden states of the last layer.</summary>
    /// <param name="sequences">Token ids, control tokens included.</param>
    /// <param name="types">Token types of the same lengths; null means zeros.</param>
    /// <returns>Per sequence [tokens · <see cref="Dimension"/>], row by row.</returns>
    /// <exception cref="ArgumentException">A sequence is empty or longer than <see cref="MaxTokens"/>, or its types have another length.</exception>
    /// <exception cref="InvalidModelException">ONNX Runtime cannot run the graph on these tokens, for example because an id has no embedding.</exception>
    public float[][] HiddenStates(IReadOnlyList<int[]> sequences, IReadOnlyList<int[]>? types = null) =>
        sequences.Count == 0 ? [] : Run(sequences, types, [EncoderGraph.Hidden])[0];

    /// <summary>One vector for each sequence, pooled as the model asks for.</summary>
    /// <exception cref="ArgumentException">As for <see cref="HiddenStates"/>.</exception>
    /// <exception cref="UnsupportedModelException">The graph does not pool.</exception>
    public float[][] Sentences(IReadOnlyList<int[]> sequences, IReadOnlyList<int[]>? types = null) =>
        !HasSentence ? throw new UnsupportedModelException($"The graph has no output '{EncoderGraph.Sentence}'; export it with pooling, as a sentence-transformers folder says or EncoderExport.Pooling sets.")
        : sequences.Count == 0 ? [] : Run(sequences, types, [EncoderGraph.Sentence])[0];

    /// <summary>Any outputs: those with a row for each token are cut to each sequence's length.</summary>
    internal float[][][] Run(IReadOnlyList<int[]> sequences, IReadOnlyList<int[]>? types, IReadOnlyList<string> outputs)
    {
        int batch = sequences.Count, longest = sequences.Max(s => s.Length);
        long[] ids = new long[batch * longest], mask = new long[batch * longest], kinds = new long[batch * longest];
        Array.Fill(ids, PadTokenId);
        foreach (var (row, sequence) in sequences.Index())
        {
            if (sequence.Length == 0 || sequence.Length > MaxTokens)
                throw new ArgumentException($"A sequence has {sequence.Length} tokens; 1 to {MaxTokens} are possible.", nameof(sequences));
            if (types is not null && types[row].Length != sequence.Length)
                throw new ArgumentException($"A sequence has {sequence.Length} tokens and {types[row].Length} token types.", nameof(types));
            // A lookup would count a negative id from the end of the table.
            if (sequence.Any(id => id < 0))
                throw new ArgumentException($"Token {sequence.First(id => id < 0)} is no token.", nameof(sequences));
            for (var t = 0; t < sequence.Length; t++)
                (ids[row * longest + t], mask[row * longest + t], kinds[row * longest + t]) = (sequence[t], 1, types?[row][t] ?? 0);
        }
        using var idsValue = OrtValue.CreateTensorValueFromMemory(ids, [batch, longest]);
        using var maskValue = OrtValue.CreateTensorValueFromMemory(mask, [batch, longest]);
        using var typesValue = OrtValue.CreateTensorValueFromMemory(kinds, [batch, longest]);
        var inputs = new Dictionary<string, OrtValue> { [EncoderGraph.InputIds] = idsValue, [EncoderGraph.AttentionMask] = maskValue };
        if (HasTokenTypes)
            inputs[EncoderGraph.TokenTypes] = typesValue;
        using var options = new RunOptions();
        using var results = OnnxSession.Translate(() => session.Run(options, inputs, outputs));
        return [.. results.Select(result => Rows(result, sequences, longest))];
    }

    private static float[][] Rows(OrtValue value, IReadOnlyList<int[]> sequences, int longest)
    {
        var shape = value.GetTensorTypeAndShape().Shape;
        var data = value.GetTensorDataAsSpan<float>();
        int width = (int)shape[^1], stride = shape.Length == 3 ? longest * width : width;
        var rows = new float[sequences.Count][];
        for (var i = 0; i < rows.Length; i++)
            rows[i] = data.Slice(i * stride, shape.Length == 3 ? sequences[i].Length * width : width).ToArray();
        return rows;
    }

    private int Number(string key, int otherwise) =>
        session.ModelMetadata.CustomMetadataMap.TryGetValue(key, out var text) && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : otherwise;

    /// <summary>Frees the session.</summary>
    public void Dispose() => session.Dispose();
}
