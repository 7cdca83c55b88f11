using LlmOps.Engines.Inference;

namespace LlmOps.SideBySide;

/// <summary>The library's own decoder, as <see cref="TextGenerator"/> uses it.</summary>
internal sealed class Ours : IEngine
{
    private readonly DecoderSession session;
    private readonly CachedDecoder decoder;

    public Ours(string folder, IReadOnlyDictionary<string, string> settings)
    {
        session = DecoderSession.Open(folder, new SessionSettings(Threads: int.Parse(settings.GetValueOrDefault("threads", "2")), AllowSpinning: settings.GetValueOrDefault("spin", "1") == "1",
            OptimizationLevel: settings.GetValueOrDefault("level", "All"))
        {
            HugePages = settings.ContainsKey("huge"),
            Entries = settings.Where(s => s.Key.Contains('.', StringComparison.Ordinal)).ToDictionary(),
        });
        decoder = new CachedDecoder(session);
        Reset();
    }

    public string Description => "LlmOps on ONNX Runtime " + Microsoft.ML.OnnxRuntime.OrtEnv.Instance().GetVersionString();

    public void Reset() => decoder.Start(Worker.Prompt + Worker.Answer);

    public ReadOnlySpan<float> Append(ReadOnlySpan<int> tokens) => decoder.Append(tokens);

    public void Dispose()
    {
        decoder.Dispose();
        session.Dispose();
    }
}
