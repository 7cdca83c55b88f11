using LlmOps.Engines.Checkpoints;

namespace LlmOps.TestKit;

/// <summary>Random checkpoints of every decoder family, each with what sets the family apart switched on: small enough to run in milliseconds.</summary>
public static class TinyFamilies
{
    private static readonly ModelConfig Base = TinyModels.Config(tied: true, context: 160) with { NumHiddenLayers = 3 };

    /// <summary>All of them by name; one family may be there in several forms.</summary>
    public static IReadOnlyDictionary<string, ModelConfig> All { get; } = new Dictionary<string, ModelConfig>
    {
        ["llama"] = Base with { TieWordEmbeddings = false },
        ["llama-biased"] = Base with { QueryKeyValueBias = true, OutputBias = true, MlpBias = true },
        ["llama3"] = Base with { RopeTheta = 500000, RopeScaling = new() { Type = "llama3", Factor = 8, LowFreqFactor = 1, HighFreqFactor = 4, OriginalContext = 32 } },
        ["llama-linear"] = Base with { RopeScaling = new() { Type = "linear", Factor = 4 } },
        ["mistral"] = Base with { ModelType = "mistral", SlidingWindow = 7, TieWordEmbeddings = false },
        ["qwen2"] = Base with { ModelType = "qwen2", QueryKeyValueBias = true, RopeTheta = 1e6 },
        ["qwen2-yarn"] = Base with { ModelType = "qwen2", QueryKeyValueBias = true, RopeScaling = new() { Type = "yarn", Factor = 4, OriginalContext = 40 } },
        ["qwen3"] = Base with { ModelType = "qwen3", HeadDim = 32, RopeTheta = 1e6 },
        ["smollm3"] = Base with { ModelType = "smollm3", RotaryLayers = [true, false, true] },
        ["phi3"] = Base with { ModelType = "phi3", TieWordEmbeddings = false, SlidingWindow = 21, NumKeyValueHeads = 4 },
        ["phi3-longrope"] = Base with
        {
            ModelType = "phi3", TieWordEmbeddings = false, HeadDim = 32, PartialRotaryFactor = 0.5,
            RopeScaling = new()
            {
                Type = "longrope", OriginalContext = 96, ShortFactor = [1, 1.02, 1.05, 1.1, 1.2, 1.4, 1.5, 1.6], LongFactor = [1.1, 1.5, 2, 3, 4, 6, 8, 9],
            },
        },
        ["gemma"] = Base with { ModelType = "gemma", HiddenAct = "gelu_pytorch_tanh", HeadDim = 32 },
        ["gemma2"] = Base with
        {
            ModelType = "gemma2", HiddenAct = "gelu_pytorch_tanh", SlidingWindow = 9, SlidingLayers = [true, false, true], QueryPreAttnScalar = 24, AttnLogitSoftcapping = 5, FinalLogitSoftcapping = 3,
        },
        ["gemma3"] = Base with
        {
            ModelType = "gemma3_text", HiddenAct = "gelu_pytorch_tanh", SlidingWindow = 9, SlidingLayers = [true, true, false], QueryPreAttnScalar = 24, RopeTheta = 1e6, RopeLocalTheta = 10000,
            RopeScaling = new() { Type = "linear", Factor = 8 },
        },
        ["gpt2"] = Base with { ModelType = "gpt2", HiddenAct = "gelu_new", NumKeyValueHeads = 4, QueryKeyValueBias = true, OutputBias = true, MlpBias = true },
    };

    /// <summary>Writes one as a Hugging Face folder with a tokenizer; the same seed gives the same weights.</summary>
    public static ModelConfig Write(string folder, string name, int seed = 1) => TinyModels.Write(folder, All[name], seed);
}
