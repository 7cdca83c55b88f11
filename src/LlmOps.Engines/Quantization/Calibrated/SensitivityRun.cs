using System.Numerics.Tensors;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.Quantization;

/// <summary>The measurements of one <see cref="SensitivityScan"/>.</summary>
internal sealed class SensitivityRun(SensitivityScan scan, string sourceFolder, IReadOnlyList<TokenRow> rows, IProgress<double>? progress, CancellationToken ct)
{
    private const int Resamples = 100; // intervals are not reported
    private const long MostGramBytes = 128L << 20;
    private readonly VariantComparison comparison = new() { Resamples = Resamples };

    public SensitivityReport Report()
    {
        scan.EnsureOptions();
        using var model = OnnxModel.Load(sourceFolder);
        var products = GraphRewrite.FindProducts(model);
        var plan = scan.Rounding.Plan(model, products);
        var groups = products.Where(p => !plan.IsHead(p.Node) && scan.Rounding.Exclude?.Excludes(p.Node) != true)
            .GroupBy(p => p.Node.Input[0]).Select(g => g.ToList()).ToList();
        if (groups.Count == 0)
            throw new UnsupportedModelException("No MatMul of the graph has a constant 2-D float weight: there is nothing to quantize.");
        using var source = new RememberedLogits(new PatchedModel(sourceFolder, new Dictionary<string, (float[], long[])>()));
        var layers = new List<LayerSensitivity>();
        var positions = 0;
        Dictionary<string, ChannelStatistics> statistics = [];
        foreach (var (i, group) in groups.Index())
        {
            var input = group[0].Node.Input[0];
            if (!statistics.ContainsKey(input))
                statistics = Statistics(model, groups.Skip(i));
            var measures = new List<BitMeasure>();
            foreach (var bits in scan.Bits.Order())
            {
                var (weights, bytes, error) = Rounded(model, group, scan.Rounding.Block(bits), statistics[input].Gram!);
                using var patched = new PatchedModel(sourceFolder, weights);
                var report = comparison.Run(source, patched, rows, null, ct);
                positions = report.Positions;
                measures.Add(new(bits, bytes, report.MeanKld.Value, error));
                progress?.Report((layers.Count + measures.Count / (double)scan.Bits.Count) / groups.Count);
            }
            layers.Add(new([.. group.Select(p => p.Node.Name)], measures));
        }
        return new(rows.Count, positions, layers);
    }

    // As many layers at a time as memory allows; the tokens run through the model once for all of them.
    private Dictionary<string, ChannelStatistics> Statistics(OnnxModel model, IEnumerable<List<WeightProduct>> groups)
    {
        var tensors = new List<(string, int)>();
        long bytes = 0;
        foreach (var product in groups.Select(g => g[0]))
        {
            bytes += 4L * product.Inputs * product.Inputs;
            if (tensors.Count > 0 && bytes > MostGramBytes)
                break;
            tensors.Add((product.Node.Input[0], product.Inputs));
        }
        using var session = new ActivationSession(model, tensors, gram: true);
        return session.Run([.. rows.Select(r => r.Tokens)], ct);
    }

    private (Dictionary<string, (float[], long[])> Weights, long Bytes, double Error) Rounded(OnnxModel model, List<WeightProduct> group, BlockRounding rounding, float[] gram)
    {
        var weights = new Dictionary<string, (float[], long[])>();
        long bytes = 0;
        double error = 0, output = 0;
        foreach (var product in group)
        {
            ct.ThrowIfCancellationRequested();
            var original = GraphRewrite.RowsPerOutput(model, product);
            var packed = BlockPacking.Pack(original, product.Outputs, product.Inputs, rounding, ct: ct);
            bytes += rounding.Bytes(product.Outputs, product.Inputs);
            var restored = BlockPacking.Unpack(packed, rounding, product.Inputs);
            var difference = new float[restored.Length];
            TensorPrimitives.Subtract(restored, original, difference);
            error += GramMath.SquaredOutput(difference, product.Inputs, gram);
            output += GramMath.SquaredOutput(original, product.Inputs, gram);
            if (!product.OutputsFirst)
            {
                Matrix.Transpose<float>(restored, product.Outputs, product.Inputs, difference, product.Outputs);
                restored = difference;
            }
            weights[product.Weight.Name] = (restored, [.. product.Weight.Dims]);
        }
        return (weights, bytes, output > 0 ? Math.Sqrt(error / output) : 0);
    }
}

/// <summary>Keeps a model's answers as long as they fit, so that many variants can be compared with one base.</summary>
internal sealed class RememberedLogits(ICausalModel model) : ICausalModel
{
    private const long MostValues = 128L << 20; // 512 MiB
    private readonly Dictionary<int[], float[]> known = new(ReferenceEqualityComparer.Instance);
    private long values;

    public int VocabularySize => model.VocabularySize;
    public int MaxLength => model.MaxLength;

    public float[][] Logits(IReadOnlyList<int[]> sequences)
    {
        var missing = sequences.Where(s => !known.ContainsKey(s)).ToList();
        var fresh = new Dictionary<int[], float[]>(ReferenceEqualityComparer.Instance);
        foreach (var (tokens, logits) in missing.Zip(model.Logits(missing)))
        {
            fresh[tokens] = logits;
            if (values + logits.Length <= MostValues && known.TryAdd(tokens, logits))
                values += logits.Length;
        }
        return [.. sequences.Select(s => known.TryGetValue(s, out var logits) ? logits : fresh[s])];
    }

    public void Dispose() => model.Dispose();
}
