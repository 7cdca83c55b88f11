using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Text;
using LlmOps.Training.Architectures;

namespace LlmOps.Training.Tests;

/// <summary>A two-layer model with random weights and a tokenizer of a few hundred tokens, in a folder that is deleted afterwards.</summary>
internal sealed class TinyModel : IDisposable
{
    public static readonly string[] Texts =
    [
        "a large body of water", "a small stream of water", "a tall plant with a wooden trunk", "a bird that cannot fly", "a place where books are kept",
        "a person who teaches", "the act of moving quickly", "a tool used for cutting wood", "a piece of furniture for sitting", "the season after winter",
        "an animal that gives milk", "a container for liquids",
    ];

    public TinyModel(int seed = 1, double std = 0.3)
    {
        TorchRuntime.Start(2);
        Directory.CreateDirectory(Folder);
        Tokenizer = new BpeTrainer(VocabularySize: 320, MinFrequency: 2).Train(Texts);
        Tokenizer.Save(Folder);
        using var model = new CausalLanguageModel(Config(Tokenizer.VocabularySize), trainable: false);
        model.Initialize(seed, std);
        ModelFolder.Save(model, Folder);
    }

    public string Root { get; } = Path.Combine(Path.GetTempPath(), "llmops-training-" + Guid.NewGuid().ToString("N"));

    public string Folder => Path.Combine(Root, "model");

    public Tokenizer Tokenizer { get; }

    public static PromptCompletion[] Instructions { get; } = [.. Texts.Select((t, i) => new PromptCompletion($"Define w{i}.", t, $"w{i}"))];

    public static PreferenceExample[] Preferences { get; } =
        [.. Texts.Select((t, i) => new PreferenceExample($"Define w{i}.", t, Texts[(i + 1) % Texts.Length] + " and so on", $"w{i}", "wrong"))];

    public static ModelConfig Config(int vocabulary) => new()
    {
        VocabSize = vocabulary, HiddenSize = 32, IntermediateSize = 48, NumHiddenLayers = 2, NumAttentionHeads = 4, NumKeyValueHeads = 2, HeadDim = 8,
        MaxPositionEmbeddings = 64, BosTokenId = 1, EosTokenId = 2, PadTokenId = 0,
    };

    public string At(string name) => Path.Combine(Root, name);

    public CausalLanguageModel Load(bool trainable = false) => ModelFolder.Load(Folder, trainable);

    public void Dispose() => Directory.Delete(Root, recursive: true);
}

/// <summary>Calls back on the training thread; <see cref="Progress{T}"/> would post elsewhere.</summary>
internal sealed class OnStep(Action<TrainingStep> action) : IProgress<TrainingStep>
{
    public void Report(TrainingStep value) => action(value);
}
