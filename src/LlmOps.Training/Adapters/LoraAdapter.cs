using LlmOps.Engines.Checkpoints;
using LlmOps.Training.Architectures;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.Adapters;

/// <summary>Shape of a low-rank adapter.</summary>
/// <param name="Rank">r, at least 1.</param>
/// <param name="Alpha">Numerator of the scale.</param>
public sealed record AdapterOptions(int Rank, double Alpha)
{
    /// <summary>Module names such as <c>q_proj</c>; empty takes every linear layer except the output head.</summary>
    public IReadOnlyList<string> TargetModules { get; init; } = [];

    /// <summary>Scale alpha / √r instead of alpha / r (rsLoRA, Kalajdzievski 2023).</summary>
    public bool RankStabilised { get; init; }

    /// <summary>Trains a length per output beside the direction (DoRA, Liu et al. 2024).</summary>
    public bool Dora { get; init; }

    /// <summary>Share of the adapter's input that is set to zero in training.</summary>
    public double Dropout { get; init; }

    /// <summary>Seed of A.</summary>
    public int Seed { get; init; }

    /// <summary>s.</summary>
    public double Scale => Alpha / (RankStabilised ? Math.Sqrt(Rank) : Rank);

    /// <summary>Refuses what cannot be.</summary>
    /// <exception cref="ArgumentException">Rank, alpha or dropout is out of range; the message names it.</exception>
    public void Validate()
    {
        Check.AtLeast(Rank, 1);
        Check.Above(Alpha, 0);
        Check.Within(Dropout, 0, 1);
    }
}

/// <summary>
/// Low-rank adaptation (Hu et al. 2021): y = x·Wᵀ + s·(x·Aᵀ)·Bᵀ with A [r, in], B [out, r]. A starts from U(-1/√in, 1/√in) and B at zero (the defaults of
/// peft), so that a fresh adapter leaves the model's output as it is. With DoRA the rows of W + s·B·A are scaled to trained lengths, which start at those of W;
/// the row norm is taken as a constant in the backward pass, as in the paper's section 4.3.
/// </summary>
public sealed class LoraAdapter : IDisposable
{
    private readonly Dictionary<string, (bool InputsFirst, int Order)> targets;
    private readonly AdapterOptions options;
    private readonly IReadOnlyList<string> whole;

    /// <summary>A fresh adapter for the linear layers of a model.</summary>
    /// <param name="model">Base model; its weights are read for DoRA's lengths.</param>
    /// <param name="options">Shape.</param>
    /// <param name="whole">Parameters of the model that are trained whole beside the adapter, such as a new head.</param>
    /// <exception cref="ArgumentException">A target module does not exist, or rank, alpha or dropout is out of range.</exception>
    public LoraAdapter(CausalLanguageModel model, AdapterOptions options, params IReadOnlyList<string> whole)
    {
        options.Validate();
        (this.options, this.whole) = (options, whole);
        var linear = model.LinearLayers;
        foreach (string module in options.TargetModules)
        {
            if (!linear.Any(l => Module(l.Name) == module))
                throw new ArgumentException($"LoRA target '{module}' is no linear layer of this model; possible: {string.Join(", ", linear.Select(l => Module(l.Name)).Distinct())}.");
        }
        targets = linear.Where(l => options.TargetModules.Count == 0 || options.TargetModules.Contains(Module(l.Name)))
            // At most seven modules in a layer: their order within it tells their masks apart.
            .Select((l, i) => (l.Name, l.InputsFirst, Order: i % 7)).ToDictionary(l => l.Name, l => (l.InputsFirst, l.Order));
        var shapes = model.Parameters.Shapes.Where(s => targets.ContainsKey(s.Name)).Select(s => (s.Name, In: s.Shape[targets[s.Name].InputsFirst ? 0 : 1], Out: s.Shape[targets[s.Name].InputsFirst ? 1 : 0])).ToList();
        Parameters = new FlatParameters([.. shapes.SelectMany(s => ShapesOf(s.Name, s.In, s.Out)), .. model.Parameters.Shapes.Where(s => whole.Contains(s.Name))], trainable: true);
        foreach (string name in whole) model.Parameters.ValuesOf(name).CopyTo(Parameters.ValuesOf(name));
        var random = new Random(options.Seed);
        foreach (var (name, inputs, _) in shapes)
        {
            double bound = 1 / Math.Sqrt(inputs);
            Span<float> a = Parameters.ValuesOf(name + ".lora_A");
            for (int i = 0; i < a.Length; i++) a[i] = (float)((2 * random.NextDouble() - 1) * bound);
            if (options.Dora) FillLengths(model, name);
        }
    }

    /// <summary>
    /// A and B of every adapted layer, and with DoRA its lengths: <c>{layer}.lora_A</c>, <c>{layer}.lora_B</c>, <c>{layer}.lora_magnitude</c>; then what is trained
    /// whole, under its own name.
    /// </summary>
    public FlatParameters Parameters { get; }

    /// <summary>Output of one layer with its update.</summary>
    /// <param name="name">Name of the layer's weight.</param>
    /// <param name="x">The layer's input [n, in].</param>
    /// <param name="y">x·Wᵀ [n, out], before the bias.</param>
    /// <param name="weight">W [out, in].</param>
    /// <param name="noise">Draws dropout's masks; null outside of training.</param>
    /// <param name="place">First number of the layer's places.</param>
    internal Tensor Apply(string name, Tensor x, Tensor y, Tensor weight, DropoutNoise? noise, int place)
    {
        if (!targets.TryGetValue(name, out var target)) return y;
        Tensor a = Parameters[name + ".lora_A"], b = Parameters[name + ".lora_B"];
        Tensor input = noise?.Apply(x, options.Dropout, place + 3 + target.Order) ?? x;
        Tensor sum = y + F.linear(F.linear(input, a), b) * options.Scale;
        return options.Dora ? sum * LengthFactor(weight, a, b, Parameters[name + ".lora_magnitude"], options.Scale) : sum;
    }

    /// <summary>DoRA's factor of each output: m / ‖W + s·B·A‖, the norm by row and without a gradient.</summary>
    internal static Tensor LengthFactor(Tensor weight, Tensor a, Tensor b, Tensor length, double scale) => length / RowNorm(weight.detach() + b.detach().matmul(a.detach()) * scale);

    /// <summary>The parameter of this name when it is trained whole; null otherwise.</summary>
    internal Tensor? Whole(string name) => whole.Contains(name) ? Parameters[name] : null;

    /// <summary>Puts the update into the base weights, in float32. The model must no longer use this adapter afterwards.</summary>
    public void MergeInto(CausalLanguageModel model)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (name, (inputsFirst, _)) in targets)
        {
            Tensor stored = model.Parameters[name], weight = inputsFirst ? stored.t() : stored;
            Tensor merged = weight + Parameters[name + ".lora_B"].matmul(Parameters[name + ".lora_A"]) * options.Scale;
            if (options.Dora) merged = merged * (Parameters[name + ".lora_magnitude"] / RowNorm(merged)).unsqueeze(1);
            stored.copy_(inputsFirst ? merged.t() : merged);
        }
        foreach (string name in whole) model.Parameters[name].copy_(Parameters[name]);
    }

    /// <summary>Writes the adapter as a PEFT folder (adapter_config.json, adapter_model.safetensors), which peft and <see cref="LoraMerge"/> read.</summary>
    public void Save(string folder) => LoraAdapterWriter.Write(folder, new LoraSettings
    {
        Rank = options.Rank, Alpha = options.Alpha, UseRsLora = options.RankStabilised, UseDora = options.Dora, FanInFanOut = targets.Values.Any(t => t.InputsFirst),
    },
    [
        .. targets.Keys.Order(StringComparer.Ordinal).Select(name => new LoraLayer(name[..^".weight".Length],
            (int)Parameters[name + ".lora_A"].shape[1], (int)Parameters[name + ".lora_B"].shape[0],
            Parameters.ValuesOf(name + ".lora_A").ToArray(), Parameters.ValuesOf(name + ".lora_B").ToArray())
        {
            Magnitude = options.Dora ? Parameters.ValuesOf(name + ".lora_magnitude").ToArray() : null,
        }),
    ]);

    /// <summary>Takes the values of a PEFT folder, to go on training it.</summary>
    /// <exception cref="LlmOps.Engines.InvalidModelException">The folder holds another shape of adapter than this one.</exception>
    public void Load(string folder)
    {
        var file = LoraAdapterFile.Open(folder);
        var stored = file.Targets.ToDictionary(t => t.Module + ".weight");
        if (!stored.Keys.ToHashSet().SetEquals(targets.Keys) || file.Settings.Rank != options.Rank || file.Settings.UseDora != options.Dora)
            throw new LlmOps.Engines.InvalidModelException($"The adapter in {Path.GetFileName(folder)} has rank {file.Settings.Rank} on {stored.Count} layers{(file.Settings.UseDora ? " with DoRA" : "")}; this training has rank {options.Rank} on {targets.Count}{(options.Dora ? " with DoRA" : "")}. Give it the same shape.");
        using SafetensorsFile tensors = SafetensorsFile.Open(Path.Combine(folder, LoraAdapterFile.WeightsFileName));
        foreach (var (name, target) in stored)
        {
            tensors.ReadFloat32(target.A).CopyTo(Parameters.ValuesOf(name + ".lora_A"));
            tensors.ReadFloat32(target.B).CopyTo(Parameters.ValuesOf(name + ".lora_B"));
            if (options.Dora) tensors.ReadFloat32(target.Magnitude!).CopyTo(Parameters.ValuesOf(name + ".lora_magnitude"));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Parameters.Dispose();

    private IEnumerable<ParameterShape> ShapesOf(string name, long inputs, long outputs)
    {
        yield return new ParameterShape(name + ".lora_A", [options.Rank, inputs], true);
        yield return new ParameterShape(name + ".lora_B", [outputs, options.Rank], true);
        if (options.Dora) yield return new ParameterShape(name + ".lora_magnitude", [outputs], false);
    }

    private void FillLengths(CausalLanguageModel model, string name)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        Tensor stored = model.Parameters[name];
        Parameters[name + ".lora_magnitude"].copy_(RowNorm(targets[name].InputsFirst ? stored.t() : stored));
    }

    private static Tensor RowNorm(Tensor weight) => weight.square().sum(1).sqrt();

    private static string Module(string weightName) => weightName.Split('.')[^2];
}
