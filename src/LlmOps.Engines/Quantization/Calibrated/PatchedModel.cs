using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// A decoder with some of its weights replaced in memory: what a variant would answer, without writing one. Sequences run one by one.
/// </summary>
internal sealed class PatchedModel : ICausalModel
{
    private readonly InferenceSession session;
    private readonly List<OrtValue> values = [];
    private readonly Checkpoints.ModelConfig config;

    /// <param name="folder">The source.</param>
    /// <param name="weights">By name of the initializer, in its own layout and shape.</param>
    public PatchedModel(string folder, IReadOnlyDictionary<string, (float[] Values, long[] Shape)> weights)
    {
        config = Checkpoints.ModelConfig.Read(folder);
        using var options = OnnxSession.Options(new SessionSettings(MemoryArena: false)); // large results, few runs: what the arena would keep is not used again
        foreach (var (name, (numbers, shape)) in weights)
        {
            var value = OrtValue.CreateTensorValueFromMemory(numbers, shape);
            values.Add(value);
            options.AddInitializer(name, value);
        }
        session = OnnxSession.Translate(() => new InferenceSession(OnnxModel.GraphFile(folder), options));
    }

    public int VocabularySize => config.VocabSize;
    public int MaxLength => config.MaxPositionEmbeddings;

    public float[][] Logits(IReadOnlyList<int[]> sequences) => [.. sequences.Select(tokens =>
    {
        using var inputs = new DecoderInputs(session, tokens);
        using var options = new RunOptions();
        using var outputs = OnnxSession.Translate(() => session.Run(options, inputs.Values, [DecoderGraph.Logits]));
        return outputs[0].GetTensorDataAsSpan<float>().ToArray();
    })];

    public void Dispose()
    {
        session.Dispose();
        foreach (var value in values)
            value.Dispose();
    }
}
