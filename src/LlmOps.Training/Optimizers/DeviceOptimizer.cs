using LlmOps.Training.Architectures;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Optimizers;

/// <summary>
/// The element-wise rules over parameters that lie on a GPU: about ten kernels over one flat buffer, however many parameters there are. Formulas as in
/// <see cref="FusedAdam"/>, <see cref="StochasticGradientDescent"/>, <see cref="RmsProp"/> and <see cref="Lion"/>.
/// </summary>
public sealed class DeviceOptimizer : Optimizer, IDisposable
{
    private readonly FlatParameters parameters;
    private readonly OptimizerOptions options;
    private readonly Tensor decays;
    private readonly Dictionary<string, (Tensor Device, float[] Host)> buffers = [];

    /// <summary>Buffers start at zero.</summary>
    /// <param name="parameters">Trainable parameters on a device.</param>
    /// <param name="options">Any rule but Adafactor.</param>
    /// <exception cref="ArgumentException">The rule has no form for a device.</exception>
    public DeviceOptimizer(FlatParameters parameters, OptimizerOptions options)
    {
        (this.parameters, this.options) = (parameters, options);
        string[] names = options.Kind switch
        {
            OptimizerKind.AdamW or OptimizerKind.Adam => ["first_moment", "second_moment"],
            OptimizerKind.Sgd => options.Momentum > 0 ? ["momentum"] : [],
            OptimizerKind.RmsProp => options.Momentum > 0 ? ["square_average", "momentum"] : ["square_average"],
            OptimizerKind.Lion => ["momentum"],
            _ => throw new ArgumentException($"{options.Kind} works on the processor only."),
        };
        Device device = parameters.OnDevice.Values.device;
        foreach (string name in names) buffers[name] = (zeros(parameters.Count, ScalarType.Float32, device).DetachFromDisposeScope(), new float[parameters.Count]);
        var mask = new float[parameters.Count];
        for (int i = 0; i < parameters.Shapes.Count; i++)
        {
            if (parameters.Shapes[i].Decays) mask.AsSpan(parameters.Offsets[i], parameters.Shapes[i].Count).Fill(1);
        }
        decays = tensor(mask, device: device).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, float[] Values)> State => [.. buffers.Select(b => (b.Key, b.Value.Host))];

    /// <inheritdoc/>
    public override void FetchState()
    {
        foreach (var (device, host) in buffers.Values)
        {
            using Tensor fetched = device.cpu();
            fetched.data<float>().CopyTo(host, 0, 0);
        }
    }

    /// <inheritdoc/>
    public override void PutState()
    {
        using var noGradient = no_grad();
        foreach (var (device, host) in buffers.Values)
        {
            using Tensor stored = frombuffer(host, ScalarType.Float32);
            device.copy_(stored);
        }
    }

    /// <inheritdoc/>
    public override void Step(int step, double learningRate, double gradientScale)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var (values, gradient) = parameters.OnDevice;
        bool decoupled = options.Kind is OptimizerKind.AdamW or OptimizerKind.Lion;
        if (gradientScale != 1) gradient.mul_(gradientScale);
        if (!decoupled && options.WeightDecay > 0) gradient.add_(values * decays, alpha: options.WeightDecay);
        if (options.L1 > 0) gradient.add_(values.sign() * decays, alpha: options.L1);
        if (decoupled && options.WeightDecay > 0) values.add_(values * decays, alpha: -learningRate * options.WeightDecay);
        switch (options.Kind)
        {
            case OptimizerKind.Sgd: Descend(values, gradient, learningRate); break;
            case OptimizerKind.RmsProp: DescendByRoot(values, gradient, learningRate); break;
            case OptimizerKind.Lion: DescendBySign(values, gradient, learningRate); break;
            default: DescendByMoments(values, gradient, step, learningRate); break;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (device, _) in buffers.Values) device.Dispose();
        decays.Dispose();
    }

    private Tensor Of(string name) => buffers[name].Device;

    private void DescendByMoments(Tensor values, Tensor gradient, int step, double rate)
    {
        Tensor m = Of("first_moment"), v = Of("second_moment");
        m.mul_(options.Beta1).add_(gradient, alpha: 1 - options.Beta1);
        v.mul_(options.Beta2).addcmul_(gradient, gradient, 1 - options.Beta2);
        Tensor root = v.sqrt().mul_(1 / Math.Sqrt(1 - Math.Pow(options.Beta2, step))).add_(options.Epsilon);
        values.addcdiv_(m, root, -rate / (1 - Math.Pow(options.Beta1, step)));
    }

    private void Descend(Tensor values, Tensor gradient, double rate)
    {
        if (options.Momentum > 0)
        {
            Tensor b = Of("momentum").mul_(options.Momentum).add_(gradient);
            gradient = options.Nesterov ? gradient + b * options.Momentum : b;
        }
        values.add_(gradient, alpha: -rate);
    }

    private void DescendByRoot(Tensor values, Tensor gradient, double rate)
    {
        Tensor square = Of("square_average").mul_(options.Beta2).addcmul_(gradient, gradient, 1 - options.Beta2);
        Tensor moved = gradient / square.sqrt().add_(options.Epsilon);
        if (options.Momentum > 0) moved = Of("momentum").mul_(options.Momentum).add_(moved);
        values.add_(moved, alpha: -rate);
    }

    private void DescendBySign(Tensor values, Tensor gradient, double rate)
    {
        Tensor m = Of("momentum");
        values.add_((m * options.Beta1 + gradient * (1 - options.Beta1)).sign(), alpha: -rate);
        m.mul_(options.Beta2).add_(gradient, alpha: 1 - options.Beta2);
    }
}
