using LlmOps.Engines.SmallModels;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.SmallModels;

/// <summary>Predicts the noise in noisy images, as a function of its tensors, in whatever float type they have.</summary>
internal sealed class DiffusionNetwork : IDisposable
{
    private readonly DiffusionConfig config;
    private readonly Func<string, Tensor> weights;
    private readonly Tensor timeTable;

    /// <param name="config">Sizes.</param>
    /// <param name="weights">A tensor by its name in <see cref="DiffusionConfig.Tensors"/>.</param>
    /// <param name="type">Float type of the tensors.</param>
    public DiffusionNetwork(DiffusionConfig config, Func<string, Tensor> weights, ScalarType type = ScalarType.Float32)
    {
        (this.config, this.weights) = (config, weights);
        using var scope = NewDisposeScope();
        timeTable = tensor(config.TimeTable(), [config.Timesteps, config.TimeFeatures]).to_type(type).DetachFromDisposeScope();
    }

    /// <summary>Noise [n, pixels] in images x [n, pixels] at steps [n] (int64).</summary>
    public Tensor Predict(Tensor x, Tensor steps)
    {
        Tensor time = F.silu(Dense(F.silu(Dense(timeTable.index_select(0, steps), "time.dense1")), "time.dense2"));
        return config.UNet ? UNet(x.view(-1, 1, config.ImageSize, config.ImageSize), time).flatten(1) : Perceptron(x, time);
    }

    public void Dispose() => timeTable.Dispose();

    private Tensor Perceptron(Tensor x, Tensor time)
    {
        Tensor h = F.silu(Dense(x, "dense1") + Dense(time, "dense1.time"));
        return Dense(F.silu(Dense(h, "dense2") + Dense(time, "dense2.time")), "output");
    }

    private Tensor UNet(Tensor x, Tensor time)
    {
        Tensor full = Block("down0", Convolve(x, "input"), time);
        Tensor half = Block("down1", Convolve(full, "shrink0", 2), time);
        Tensor quarter = Block("middle", Convolve(half, "shrink1", 2), time);
        half = Block("up1", cat([Enlarge(quarter), half], 1), time);
        full = Block("up0", cat([Enlarge(half), full], 1), time);
        return Convolve(F.silu(Norm(full, "norm")), "output");
    }

    private Tensor Block(string name, Tensor x, Tensor time)
    {
        Tensor h = Convolve(F.silu(Norm(x, $"{name}.norm1")), $"{name}.conv1") + Dense(time, $"{name}.time").unsqueeze(-1).unsqueeze(-1);
        h = Convolve(F.silu(Norm(h, $"{name}.norm2")), $"{name}.conv2");
        return h + (x.shape[1] == h.shape[1] ? x : F.conv2d(x, weights($"{name}.skip.weight"), weights($"{name}.skip.bias")));
    }

    private Tensor Norm(Tensor x, string name) => F.group_norm(x, DiffusionConfig.Groups, weights($"{name}.weight"), weights($"{name}.bias"), DiffusionConfig.NormEpsilon);

    private Tensor Dense(Tensor x, string name) => F.linear(x, weights($"{name}.weight"), weights($"{name}.bias"));

    private Tensor Convolve(Tensor x, string name, long stride = 1) => F.conv2d(x, weights($"{name}.weight"), weights($"{name}.bias"), [stride, stride], [1, 1]);

    private static Tensor Enlarge(Tensor x) => Pixels.Double(x);
}
