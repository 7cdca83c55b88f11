using System.Globalization;
using System.Text.RegularExpressions;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Quantization;

/// <summary>Another number of bits for some nodes.</summary>
/// <param name="Pattern">Regular expression, searched in the name of the node, for example <c>layers\.0/mlp</c>.</param>
/// <param name="Bits">2, 4 or 8; 0 leaves the weights in floating point.</param>
public sealed record BitOverride(string Pattern, int Bits);

/// <summary>Bits per weight of every product of a graph: the first override that matches, then the head's, then the mix's, then those for all others.</summary>
internal sealed partial class BitPlan
{
    private readonly int bits, headBits, layers;
    private readonly bool mixed;
    private readonly List<(Regex Pattern, int Bits)> overrides;
    private readonly HashSet<string> outputs;

    /// <exception cref="ArgumentException">A number of bits is not 2, 4 or 8 (or 0 where that is allowed), or a pattern is no regular expression.</exception>
    public BitPlan(OnnxModel model, IReadOnlyList<WeightProduct> products, int bits, int headBits, bool mixed, IReadOnlyList<BitOverride>? overrides)
    {
        (this.bits, this.headBits, this.mixed) = (bits, headBits, mixed);
        this.overrides = [.. (overrides ?? []).Select(o => (Compile(o.Pattern), o.Bits))];
        outputs = [.. model.Proto.Graph.Output.Select(o => o.Name)];
        layers = 1 + products.Max(p => Layer(p.Node.Name) ?? -1);
    }

    public static void Ensure(int bits, int headBits, IReadOnlyList<BitOverride>? overrides)
    {
        if (bits is not (2 or 4 or 8))
            throw new ArgumentException("Bits must be 2, 4 or 8.", nameof(bits));
        if (headBits is not (0 or 2 or 4 or 8))
            throw new ArgumentException("HeadBits must be 0, 2, 4 or 8.", nameof(headBits));
        foreach (var o in overrides ?? [])
        {
            Compile(o.Pattern);
            if (o.Bits is not (0 or 2 or 4 or 8))
                throw new ArgumentException($"The override for '{o.Pattern}' has {o.Bits} bits; use 2, 4 or 8, or 0 for floating point.", nameof(overrides));
        }
    }

    /// <summary>Bits of a product, and why in words when it stays in floating point.</summary>
    public (int Bits, string Reason) Of(WeightProduct product)
    {
        var name = product.Node.Name;
        foreach (var (pattern, chosen) in overrides)
            if (pattern.IsMatch(name))
                return (chosen, $"as the override '{pattern}' asks");
        if (IsHead(product.Node))
            return (headBits, "as HeadBits 0 asks");
        return (mixed && Layer(name) is { } layer && Sensitive(name) && Upgraded(layer, layers) ? Math.Max(bits, 8) : bits, "");
    }

    // A capped or reshaped head is no output itself; its name tells.
    public bool IsHead(NodeProto node) => outputs.Contains(node.Output[0]) || node.Name.StartsWith("/lm_head/", StringComparison.Ordinal);

    /// <summary>The first and last eighth of the layers and every third between them, as ONNX Runtime GenAI's mixed_layers.</summary>
    public static bool Upgraded(int layer, int layers) =>
        layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;

    public static int? Layer(string node) => LayerNumber().Match(node) is { Success: true } match ? int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : null;

    // Values and the way back into the residual stream lose most.
    private static bool Sensitive(string node) => node.Contains("qkv_proj", StringComparison.Ordinal) || node.Contains("v_proj", StringComparison.Ordinal) || node.Contains("down_proj", StringComparison.Ordinal);

    private static Regex Compile(string pattern)
    {
        try
        {
            return new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new ArgumentException($"'{pattern}' cannot be used as a pattern of nodes: {e.Message}", nameof(pattern));
        }
    }

    [GeneratedRegex(@"layers\.(\d{1,6})(?!\d)", RegexOptions.CultureInvariant)]
    private static partial Regex LayerNumber();
}
