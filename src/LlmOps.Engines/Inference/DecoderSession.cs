using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace LlmOps.Engines.Inference;

/// <summary>A decoder graph that is open, and where its tensors lie.</summary>
/// <param name="Session">The session; disposed here.</param>
/// <param name="FileName">For messages.</param>
/// <param name="Form">Inputs and outputs, checked.</param>
/// <param name="Vocabulary">Width of the logits.</param>
/// <param name="Memory">For keys and values: the device's memory.</param>
/// <param name="Transfer">For token ids and logits: memory that the processor reads and the device reaches fast.</param>
internal sealed record DecoderGraphSession(InferenceSession Session, string FileName, DecoderInterface Form, int Vocabulary, TensorMemory Memory, TensorMemory Transfer) : IDisposable
{
    /// <summary>Whether steps of one token go through <see cref="FixedStep"/>.</summary>
    public bool FixedShapes { get; init; }

    public static DecoderGraphSession Open(string folder, string fileName, ModelConfig config, SessionSettings settings)
    {
        var session = OnnxSession.Open(folder, settings, fileName);
        try
        {
            var form = DecoderInterface.Read(session, config, Path.Combine(folder, fileName));
            if (settings.Provider.CudaGraph && !form.AppendsInPlace)
                throw new UnsupportedModelException($"{fileName} writes its cache anew at each step, so that its shapes change; CUDA graphs need GroupQueryAttention (the contrib form). Set CudaGraph to false.");
            var (memory, transfer) = settings.Provider.Memories(session);
            return new(session, fileName, form, config.VocabSize, memory, transfer) { FixedShapes = settings.Provider.CudaGraph };
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Memory.Dispose();
        Transfer.Dispose();
        Session.Dispose();
    }
}

/// <summary>The graphs of a folder together with the configuration that they were checked against.</summary>
internal sealed class DecoderSession : IDisposable
{
    /// <summary>An optional second graph with the same inputs and outputs, for steps of many tokens.</summary>
    public const string PrefillFileName = "prefill.onnx";

    private DecoderSession(DecoderGraphSession step, DecoderGraphSession? prefill, ModelConfig config, bool hugePages) =>
        (Step, Prefill, Config, HugePages) = (step, prefill, config, hugePages);

    public DecoderGraphSession Step { get; }
    public DecoderGraphSession? Prefill { get; }
    public ModelConfig Config { get; }

    /// <summary>Whether memory that comes later should be moved into large pages too.</summary>
    public bool HugePages { get; }

    public static DecoderSession Open(string folder, SessionSettings? settings, bool withPrefill = true)
    {
        settings ??= new();
        var config = ModelConfig.Read(folder);
        var step = DecoderGraphSession.Open(folder, OnnxModel.FileName, config, settings);
        DecoderGraphSession? prefill = null;
        try
        {
            if (withPrefill && File.Exists(Path.Combine(folder, PrefillFileName)))
            {
                prefill = DecoderGraphSession.Open(folder, PrefillFileName, config, ForPrefill(settings));
                if (prefill.Form.Cache != step.Form.Cache || prefill.Form.AppendsInPlace != step.Form.AppendsInPlace)
                    throw new InvalidModelException($"{PrefillFileName} and {OnnxModel.FileName} cannot share a cache: one has {prefill.Form.Cache} {Kind(prefill)}, the other {step.Form.Cache} {Kind(step)}.");
            }
            if (settings.HugePages)
                Inference.HugePages.Collapse();
            return new(step, prefill, config, settings.HugePages);
        }
        catch
        {
            prefill?.Dispose();
            step.Dispose();
            throw;
        }

        static string Kind(DecoderGraphSession graph) => graph.Form.AppendsInPlace ? "appended in place" : "written anew";
    }

    // Its weights may be computed when it is loaded (Int8Prefill): at level None that would happen in every step. And its threads must not go on spinning
    // while the other graph works.
    private static SessionSettings ForPrefill(SessionSettings settings) => settings with
    {
        OptimizationLevel = "All",
        Entries = new Dictionary<string, string>(settings.Entries ?? new Dictionary<string, string>()) { ["session.force_spinning_stop"] = "1" },
    };

    public void EnsureTokens(ReadOnlySpan<int> tokens)
    {
        foreach (var token in tokens)
            if ((uint)token >= (uint)Config.VocabSize)
                throw new ArgumentException($"Token {token} is outside of the vocabulary of {Config.VocabSize}.");
    }

    public void Dispose()
    {
        Prefill?.Dispose();
        Step.Dispose();
    }
}
