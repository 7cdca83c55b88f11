using LlmOps.Engines.Checkpoints;
using LlmOps.Training.Architectures;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.Adapters;

/// <summary>
/// Low-rank adaptation (Hu et al. 2021): y = x·Wᵀ + s·(x·Aᵀ)·Bᵀ with A [r, in], B [out, r] and s = alpha / r. A starts from
/// U(-1/√in, 1/√in) and B at zero (the defaults of peft), so that a fresh adapter leaves the model's output as it is.
/// </summary>
public sealed class LoraAdapter : IDisposable
{
    private readonly HashSet<string> targets;
    private readonly double alpha;
    private readonly double scale;
    private readonly int rank;

    /// <summary>A fresh adapter for the linear layers of a model.</summary>
    /// <param name="model">Base model; only shapes are read.</param>
    /// <param name="rank">r, at least 1.</param>
    /// <param name="alpha">Numerator of the scale.</param>
    /// <param name="targetModules">Module names such as <c>q_proj</c>; empty takes every linear layer except the output head.</param>
    /// <param name="seed">Seed of A.</param>
    /// <exception cref="ArgumentException">A target module does not exist, or rank or alpha is out of range.</exception>
    public LoraAdapter(LlamaForCausalLM model, int rank, double alpha, IReadOnlyList<string> targetModules, int seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 1);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(alpha);
        var linear = model.Parameters.Shapes.Where(s => s.Name.EndsWith("_proj.weight", StringComparison.Ordinal)).ToList();
        foreach (string module in targetModules)
        {
            if (!linear.Any(s => Module(s.Name) == module))
                throw new ArgumentException($"LoRA target '{module}' is no linear layer of this model; possible: {string.Join(", ", linear.Select(s => Module(s.Name)).Distinct())}.");
        }
        var adapted = linear.Where(s => targetModules.Count == 0 || targetModules.Contains(Module(s.Name))).ToList();
        targets = [.. adapted.Select(s => s.Name)];
        (this.rank, this.alpha, scale) = (rank, alpha, alpha / rank);
        Parameters = new FlatParameters(
            adapted.SelectMany(s => new[] { new ParameterShape(s.Name + ".lora_A", [rank, s.Shape[1]], true), new ParameterShape(s.Name + ".lora_B", [s.Shape[0], rank], true) }), trainable: true);
        var random = new Random(seed);
        foreach (ParameterShape shape in adapted)
        {
            double bound = 1 / Math.Sqrt(shape.Shape[1]);
            Span<float> a = Parameters.ValuesOf(shape.Name + ".lora_A");
            for (int i = 0; i < a.Length; i++) a[i] = (float)((2 * random.NextDouble() - 1) * bound);
        }
    }

    /// <summary>A and B of every adapted layer: <c>{layer}.lora_A</c>, <c>{layer}.lora_B</c>.</summary>
    public FlatParameters Parameters { get; }

    /// <summary>Adds the update of one layer to its output.</summary>
    /// <param name="name">Name of the layer's weight.</param>
    /// <param name="x">The layer's input [n, in].</param>
    /// <param name="y">The layer's output [n, out] without the update.</param>
    public Tensor Apply(string name, Tensor x, Tensor y)
    {
        if (!targets.Contains(name)) return y;
        return y + F.linear(F.linear(x, Parameters[name + ".lora_A"]), Parameters[name + ".lora_B"]) * scale;
    }

    /// <summary>Adds s·B·A to the base weights, in float32. The model must no longer use this adapter afterwards.</summary>
    public void MergeInto(LlamaForCausalLM model)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        foreach (string name in targets)
        {
            Tensor update = Parameters[name + ".lora_B"].matmul(Parameters[name + ".lora_A"]) * scale;
            model.Parameters[name].add_(update);
        }
    }

    /// <summary>Writes the adapter as a PEFT folder (adapter_config.json, adapter_model.safetensors), which peft and <see cref="LoraMerge"/> read.</summary>
    public void Save(string folder) => LoraAdapterWriter.Write(folder, rank, alpha,
    [
        .. targets.Order(StringComparer.Ordinal).Select(name => new LoraLayer(name[..^".weight".Length],
            (int)Parameters[name + ".lora_A"].shape[1], (int)Parameters[name + ".lora_B"].shape[0],
            Parameters.ValuesOf(name + ".lora_A").ToArray(), Parameters.ValuesOf(name + ".lora_B").ToArray())),
    ]);

    /// <inheritdoc/>
    public void Dispose() => Parameters.Dispose();

    private static string Module(string weightName) => weightName.Split('.')[^2];
}
