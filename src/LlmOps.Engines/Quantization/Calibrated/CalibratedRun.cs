using System.Numerics.Tensors;

namespace LlmOps.Engines.Quantization;

/// <summary>The layers of one <see cref="CalibratedBlockwise"/>, from the last to the first: a layer's scales change the weights of the one that feeds it.</summary>
internal sealed class CalibratedRun
{
    private const double Damping = 0.01;
    // Second moments of fitted and held-out tokens together; more layers than this holds take another pass over the tokens.
    private const long MostGramBytes = 256L << 20;
    // A layer's candidates, their restored weights and errors take about ten times its weights.
    private const long CollectEvery = 32L << 20;
    private readonly CalibratedBlockwise pass;
    private readonly CalibrationTokens calibration;
    private readonly GraphRewrite rewrite;
    private readonly NormFolding folding;
    private readonly Dictionary<WeightProduct, int> bits = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<string> tables;
    private readonly IProgress<double>? progress;
    private readonly CancellationToken ct;
    private int done;
    private long sinceCollection;

    public CalibratedRun(CalibratedBlockwise pass, CalibrationTokens calibration, GraphRewrite rewrite, IProgress<double>? progress, CancellationToken ct)
    {
        (this.pass, this.calibration, this.rewrite, this.progress, this.ct) = (pass, calibration, rewrite, progress, ct);
        folding = new NormFolding(rewrite);
        tables = [.. rewrite.Lookups.Select(l => l.Table.Name)];
        var plan = pass.Rounding.Plan(rewrite.Model, rewrite.Products);
        foreach (var product in rewrite.Products)
        {
            (bits[product], var reason) = plan.Of(product);
            if (bits[product] == 0)
                rewrite.Skip(product.Node, $"stays in floating point, {reason}");
        }
    }

    public List<LayerChoice> Layers { get; } = [];

    public void QuantizeProducts()
    {
        foreach (var batch in Batches())
        {
            Dictionary<string, ChannelStatistics> fitted = [], heldOut = [];
            var measured = batch.Where(IsMeasured).Select(g => (g.Input, g.Width)).ToList();
            if (measured.Count > 0)
            {
                using var session = new ActivationSession(rewrite.Model, measured, gram: true);
                fitted = session.Run(calibration.Fitted, ct);
                heldOut = session.Run(calibration.HeldOut, ct);
            }
            foreach (var group in batch)
            {
                ct.ThrowIfCancellationRequested();
                if (fitted.TryGetValue(group.Input, out var statistics))
                    Quantize(group, statistics, heldOut[group.Input].Gram!);
                else
                    foreach (var product in Quantized(group))
                        Write(product, BlockPacking.Pack(folding.Weights(product), product.Outputs, product.Inputs, Rounding(product), ct: ct), new(product.Node.Name, bits[product], "rtn", null, new Dictionary<string, double>()));
                Release(4L * group.Width * group.Products.Sum(p => p.Outputs));
                progress?.Report((done += group.Products.Count) / (double)rewrite.Products.Count);
            }
        }
        folding.Finish();
        Layers.Reverse();
    }

    // Only a full collection frees arrays of this size, and the runtime puts it off for as long as the machine has memory.
    private void Release(long weightBytes)
    {
        if ((sinceCollection += weightBytes) < CollectEvery)
            return;
        sinceCollection = 0;
        GC.Collect();
    }

    private IEnumerable<WeightProduct> Quantized(InputGroup group) => group.Products.Where(p => bits[p] > 0);

    private BlockRounding Rounding(WeightProduct product) => pass.Rounding.Block(bits[product]);

    private bool IsMeasured(InputGroup group) => Quantized(group).Any(p => bits[p] < 8 && !tables.Contains(p.Weight.Name));

    private IEnumerable<List<InputGroup>> Batches()
    {
        List<InputGroup> batch = [];
        long bytes = 0;
        foreach (var group in folding.Groups.Reverse())
        {
            var needed = IsMeasured(group) ? 8L * group.Width * group.Width : 0;
            if (batch.Count > 0 && bytes + needed > MostGramBytes)
            {
                yield return batch;
                (batch, bytes) = ([], 0);
            }
            batch.Add(group);
            bytes += needed;
        }
        if (batch.Count > 0)
            yield return batch;
    }

    private sealed record Candidate(string Method, PackedBlocks Packed, double Error);

    private void Quantize(InputGroup group, ChannelStatistics fitted, float[] heldOut)
    {
        var products = Quantized(group).ToList();
        var weights = products.ConvertAll(folding.Weights);
        var roundings = products.ConvertAll(Rounding);
        var ones = Enumerable.Repeat(1f, group.Width).ToArray();
        var plain = Candidates(weights, roundings, ones, "", fitted, heldOut);
        var awq = pass.Awq && group.Fold is not null ? AwqScales.Search(weights, fitted, roundings, ct) : null;
        var scaled = awq is { } found ? Candidates(weights, roundings, found.Scales, "awq", fitted, heldOut) : null;

        // Scales belong to all products of a group or to none; compensation to each by itself.
        var useScales = scaled is not null && scaled.Sum(c => c.Min(x => x.Error)) < plain.Sum(c => c.Min(x => x.Error));
        if (useScales)
            folding.Scale(group, awq!.Value.Scales);
        foreach (var (i, product) in products.Index().Reverse())
        {
            var best = (useScales ? scaled! : plain)[i].MinBy(c => c.Error)!;
            var output = GramMath.SquaredOutput(weights[i], group.Width, heldOut);
            var errors = plain[i].Concat(scaled?[i] ?? []).ToDictionary(c => c.Method, c => output > 0 ? Math.Sqrt(c.Error / output) : 0);
            Write(product, best.Packed, new(product.Node.Name, bits[product], best.Method, useScales ? awq!.Value.Alpha : null, errors));
        }
    }

    private List<List<Candidate>> Candidates(List<float[]> weights, List<BlockRounding> roundings, float[] scales, string name, ChannelStatistics fitted, float[] heldOut)
    {
        var width = scales.Length;
        // A scale search then minds what an error does to the output: inputs count by their mean square.
        float[] importance = [.. fitted.MeanSquare.Zip(scales, (square, scale) => (float)(square / ((double)scale * scale)))];
        var factor = pass.Gptq ? InverseFactor.Of(name.Length == 0 ? fitted.Gram! : GramMath.Unscaled(fitted.Gram!, scales), width, Damping) : null;
        return [.. weights.Zip(roundings).Select(part =>
        {
            var (original, rounding) = part;
            var scaled = name.Length == 0 ? original : Columns(original, scales);
            var rounded = BlockPacking.Pack(scaled, scaled.Length / width, width, rounding, importance: importance, ct: ct);
            List<Candidate> result = [new(name.Length == 0 ? "rtn" : name, rounded, Error(rounded))];
            if (factor is not null)
            {
                var compensated = GptqRounding.Pack(scaled, width, factor, rounding, importance, ct);
                result.Add(new(name.Length == 0 ? "gptq" : $"{name}+gptq", compensated, Error(compensated)));
            }
            return result;

            double Error(PackedBlocks packed)
            {
                var restored = BlockPacking.Unpack(packed, rounding, width);
                Parallel.For(0, packed.Rows, row =>
                {
                    var to = restored.AsSpan(row * width, width);
                    TensorPrimitives.Divide(to, scales, to);
                    TensorPrimitives.Subtract(to, original.AsSpan(row * width, width), to);
                });
                return GramMath.SquaredOutput(restored, width, heldOut);
            }
        })];
    }

    private static float[] Columns(float[] weights, float[] scales)
    {
        var result = new float[weights.Length];
        Parallel.For(0, weights.Length / scales.Length, row =>
            TensorPrimitives.Multiply(weights.AsSpan(row * scales.Length, scales.Length), scales, result.AsSpan(row * scales.Length, scales.Length)));
        return result;
    }

    private void Write(WeightProduct product, PackedBlocks packed, LayerChoice choice)
    {
        NBitsNodes.ReplaceProduct(rewrite, product, packed, Rounding(product), pass.Rounding.AccuracyLevel);
        Layers.Add(choice);
    }
}
