using LlmOps.Engines;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.SmallModels;
using LlmOps.Training.Architectures;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.SmallModels;

/// <summary>A small model's checkpoint in libtorch, float32: the reference that exported graphs are compared with.</summary>
public sealed class TorchSmallModel : IDisposable
{
    private readonly FlatParameters parameters;

    private TorchSmallModel(SmallModelConfig config, FlatParameters parameters) => (Config, this.parameters) = (config, parameters);

    /// <summary>Sizes and labels.</summary>
    public SmallModelConfig Config { get; }

    /// <summary>Loads config.json and model.safetensors.</summary>
    /// <param name="folder">A checkpoint folder of a small model.</param>
    /// <param name="threads">Threads; 0 takes what <see cref="TorchRuntime"/> was started with, or the number of processors.</param>
    /// <exception cref="InvalidModelException">The folder is no small model, is incomplete or contradicts itself.</exception>
    public static TorchSmallModel Load(string folder, int threads = 0)
    {
        SmallModelConfig config = SmallModelConfig.TryRead(folder) ?? throw new InvalidModelException("config.json names no small model.");
        TorchRuntime.Start(threads == 0 && TorchRuntime.Threads > 0 ? TorchRuntime.Threads : threads);
        return new TorchSmallModel(config, SmallModelFolder.Load(config, folder));
    }

    /// <summary>Computes what the exported graph computes, with inputs and outputs of the same names.</summary>
    /// <exception cref="UnsupportedModelException">The model is not computed by libtorch.</exception>
    public IReadOnlyList<NamedTensor> Run(IReadOnlyList<NamedTensor> inputs)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        return Config switch
        {
            CnnClassifierConfig => [Named("logits", new CnnNetwork(name => parameters[name]).Logits(Floats(inputs, "image")))],
            AutoencoderConfig coder => Autoencoder(coder, inputs),
            DiffusionConfig diffusion => Diffusion(diffusion, inputs),
            LstmConfig lstm => Lstm(lstm, inputs),
            LinearRegressionConfig => [Named("prediction", Dense(Floats(inputs, "features"), "linear"))],
            KernelSvmConfig svm => [Named("margins", Dense(Dense(Floats(inputs, "features"), "kernel").cos() * Math.Sqrt(2.0 / svm.RandomFeatures), "svm"))],
            _ => throw new UnsupportedModelException($"A {Config.Kind} is not computed by libtorch."),
        };
    }

    private IReadOnlyList<NamedTensor> Autoencoder(AutoencoderConfig config, IReadOnlyList<NamedTensor> inputs)
    {
        var network = new AutoencoderNetwork(config, name => parameters[name]);
        Tensor images = Floats(inputs, "image");
        var (mean, logVariance) = network.Encode(images.flatten(1));
        NamedTensor[] outputs = [Named("reconstruction", network.Decode(mean + Floats(inputs, "latent_shift")).sigmoid().view(images.shape)), Named("latent", mean)];
        return logVariance is null ? outputs : [.. outputs, Named("log_variance", logVariance)];
    }

    private IReadOnlyList<NamedTensor> Diffusion(DiffusionConfig config, IReadOnlyList<NamedTensor> inputs)
    {
        using var network = new DiffusionNetwork(config, name => parameters[name]);
        Tensor images = Floats(inputs, "sample");
        return [Named("noise", network.Predict(images.flatten(1), tensor(inputs.Single(i => i.Name == "timestep").Values<long>().ToArray())).view(images.shape))];
    }

    /// <summary>Opens the checkpoint of an LSTM as a scoring model.</summary>
    /// <exception cref="InvalidModelException">The folder holds none.</exception>
    public static LstmCausalModel LoadLstm(string folder)
    {
        TorchSmallModel model = Load(folder);
        if (model.Config is LstmConfig lstm) return new LstmCausalModel(lstm, model.Run, model);
        model.Dispose();
        throw new InvalidModelException($"The folder holds a {model.Config.Kind}, no LSTM language model.");
    }

    /// <inheritdoc/>
    public void Dispose() => parameters.Dispose();

    private IReadOnlyList<NamedTensor> Lstm(LstmConfig config, IReadOnlyList<NamedTensor> inputs)
    {
        NamedTensor ids = inputs.Single(i => i.Name == "input_ids");
        long batch = ids.Shape[0], length = ids.Shape[1];
        var network = new LstmNetwork(config, name => parameters[name]);
        var (states, hidden, cell) = network.Run(tensor(ids.Values<long>().ToArray(), [batch, length]), Floats(inputs, "past_hidden"), Floats(inputs, "past_cell"));
        Tensor logits = network.Logits(states.reshape(batch * length, config.HiddenSize)).view(batch, length, config.VocabSize);
        return [Named("logits", logits), Named("present_hidden", hidden), Named("present_cell", cell)];
    }

    private Tensor Dense(Tensor x, string name) => nn.functional.linear(x, parameters[$"{name}.weight"], parameters[$"{name}.bias"]);

    internal static Tensor Floats(IReadOnlyList<NamedTensor> inputs, string name)
    {
        NamedTensor input = inputs.Single(i => i.Name == name);
        return tensor(input.Values<float>().ToArray(), [.. input.Shape]);
    }

    internal static NamedTensor Named(string name, Tensor value) => NamedTensor.Of(name, value.contiguous().data<float>().ToArray(), value.shape);
}
