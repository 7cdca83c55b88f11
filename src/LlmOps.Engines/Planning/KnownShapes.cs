namespace LlmOps.Engines.Planning;

/// <summary>Shapes of some published models, from their config.json, so that a plan can be made before anything is downloaded.</summary>
public static class KnownShapes
{
    /// <summary>Smallest first.</summary>
    public static IReadOnlyList<ModelShape> All { get; } =
    [
        Shape("smollm2-135m", 30, 576, 9, 3, 64, 1536, 49152, 8192, tied: true),
        Shape("qwen2.5-0.5b", 24, 896, 14, 2, 64, 4864, 151936, 32768, tied: true, bias: true),
        Shape("llama-3.2-1b", 16, 2048, 32, 8, 64, 8192, 128256, 131072, tied: true),
        Shape("qwen2.5-7b", 28, 3584, 28, 4, 128, 18944, 152064, 131072, bias: true),
        Shape("mistral-7b-v0.3", 32, 4096, 32, 8, 128, 14336, 32768, 32768),
        Shape("llama-3.1-8b", 32, 4096, 32, 8, 128, 14336, 128256, 131072),
        Shape("qwen2.5-32b", 64, 5120, 40, 8, 128, 27648, 152064, 131072, bias: true),
        Shape("llama-3.1-70b", 80, 8192, 64, 8, 128, 28672, 128256, 131072),
    ];

    private static ModelShape Shape(string name, int layers, int hidden, int heads, int kvHeads, int headDim, int inner, int vocabulary, int context, bool tied = false, bool bias = false) => new()
    {
        Name = name, Layers = layers, HiddenSize = hidden, Heads = heads, KeyValueHeads = kvHeads, HeadDim = headDim, IntermediateSize = inner, VocabSize = vocabulary,
        MaxContext = context, TiedEmbeddings = tied, AttentionBias = bias,
    };
}
