using LlmOps.Engines.SmallModels;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.SmallModels;

/// <summary>The layers of a <see cref="CnnClassifierConfig"/> as functions of its tensors, in whatever float type they have.</summary>
/// <param name="weights">A tensor by its name in <see cref="CnnClassifierConfig.Tensors"/>.</param>
internal sealed class CnnNetwork(Func<string, Tensor> weights)
{
    /// <summary>Scores [n, labels] of pictures [n, 1, height, width].</summary>
    public Tensor Logits(Tensor images) => Dense(F.relu(Dense(Stage(Stage(images, "conv1"), "conv2").flatten(1), "dense")), "head");

    private Tensor Stage(Tensor x, string name) => F.max_pool2d(F.relu(F.conv2d(x, weights($"{name}.weight"), weights($"{name}.bias"), [1, 1], [1, 1])), [2, 2], [2, 2]);

    private Tensor Dense(Tensor x, string name) => F.linear(x, weights($"{name}.weight"), weights($"{name}.bias"));
}
