using System.Security.Cryptography;
using Google.Protobuf;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// Inputs that a pass runs the model with to learn the ranges of its activations: 100 to 500 samples of what the model will be used for.
/// Read anew for every run over the data, so that a source on disk need not fit into memory.
/// </summary>
public sealed class CalibrationData
{
    private readonly IEnumerable<IReadOnlyList<NamedTensor>> samples;
    private string? hash;

    /// <summary>Takes samples, each with a value for every input of the model; the sequence is read more than once.</summary>
    public CalibrationData(IEnumerable<IReadOnlyList<NamedTensor>> samples) => this.samples = samples;

    /// <summary>
    /// Random inputs of the first size that the model runs with. They stand in where no data is at hand: ranges found with them are those of
    /// noise.
    /// </summary>
    /// <param name="model">A folder with model.onnx, or any ONNX file.</param>
    /// <param name="count">How many.</param>
    /// <param name="rules">Seed and sizes.</param>
    public static CalibrationData Random(string model, int count = 16, RandomInputs? rules = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        using var opened = OnnxModel.Load(model);
        using var session = GraphSession.Open(model);
        return new(session.RandomSamples(opened.Proto, count, rules));
    }

    /// <summary>Token sequences for a decoder or an encoder: each becomes <c>input_ids</c> of one row with full mask, positions and an empty past.</summary>
    /// <param name="model">A folder with model.onnx, or any ONNX file.</param>
    /// <param name="sequences">Tokens of texts that the model will see, prompt template included.</param>
    /// <exception cref="UnsupportedModelException">The graph has no input <c>input_ids</c>.</exception>
    public static CalibrationData FromTokens(string model, IEnumerable<int[]> sequences)
    {
        using var opened = OnnxModel.Load(model);
        var proto = opened.Proto;
        if (proto.Graph.Input.All(i => i.Name != DecoderGraph.InputIds))
            throw new UnsupportedModelException($"{opened.Label} has no input '{DecoderGraph.InputIds}'.");
        // Only the graph's declarations are used after the file is closed.
        var declared = new Onnx.Wire.ModelProto { Graph = new() { Input = { proto.Graph.Input.Where(i => !opened.Initializers.ContainsKey(i.Name)) } } };
        return new(sequences.Select(tokens => (IReadOnlyList<NamedTensor>)
            [.. new RandomInputs(FreeSize: tokens.Length).Make(declared, new Random(0)).Select(t => t.Name == DecoderGraph.InputIds
                ? NamedTensor.Of(t.Name, Array.ConvertAll(tokens, token => (long)token), 1, tokens.Length) : t)]));
    }

    internal IEnumerable<IReadOnlyList<NamedTensor>> Samples => samples;

    /// <summary>SHA-256 over names, types, shapes and values of all samples, as lower-case hexadecimal digits.</summary>
    public string Sha256()
    {
        if (hash is not null)
            return hash;
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var sample in samples)
            digest.AppendData(SampleFile.Proto(sample).ToByteArray());
        return hash = Convert.ToHexStringLower(digest.GetHashAndReset());
    }
}
