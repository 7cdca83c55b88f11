using System.Text.Json;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;

namespace LlmOps.Engines.Tests.Evaluation;

public sealed class VariantComparisonTests(ExportedModels models)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static readonly IReadOnlyList<TokenRow> Rows = [.. Enumerable.Range(0, 12).Select(i => new TokenRow(Tokens(i, 5 + 7 * i), 4 * (4 + 7 * i)))];

    [Fact]
    public void Run_FindsNoDifference_BetweenAModelAndItself()
    {
        var report = new VariantComparison().Run(models.TiedOnnx, models.TiedOnnx, Rows, ct: Ct);

        Assert.Equal((12, Rows.Sum(r => r.Tokens.Length - 1)), (report.Rows, report.Positions));
        Assert.Equal((0, 0, 0, 1, 0), (report.MeanKld.Value, report.Kld99, report.RmsDeltaP, report.SameTop.Value, report.DeltaBitsPerByte.Value));
        Assert.Equal(report.BaseBitsPerByte, report.VariantBitsPerByte);
    }

    // The same numbers from their definitions, in double precision and with no batches.
    [Fact]
    public void Run_EqualsTheDefinitions()
    {
        var variant = models.New();
        new BlockwiseRtn(AccuracyLevel: 1).Run(models.TiedOnnx, variant, ct: Ct);
        using OnnxCausalModel p = OnnxCausalModel.Load(models.TiedOnnx), q = OnnxCausalModel.Load(variant);
        List<double> divergences = [], changes = [], logP = [], logQ = [];
        var same = 0;
        foreach (var row in Rows)
        {
            float[] expected = p.Logits([row.Tokens])[0], actual = q.Logits([row.Tokens])[0];
            for (var t = 1; t < row.Tokens.Length; t++)
            {
                double[] a = LogSoftmax(expected, t - 1, p.VocabularySize), b = LogSoftmax(actual, t - 1, p.VocabularySize);
                divergences.Add(a.Zip(b, (x, y) => Math.Exp(x) * (x - y)).Sum());
                same += Array.IndexOf(a, a.Max()) == Array.IndexOf(b, b.Max()) ? 1 : 0;
                (var x, var y) = (a[row.Tokens[t]], b[row.Tokens[t]]);
                changes.Add(Math.Exp(y) - Math.Exp(x));
                logP.Add(x);
                logQ.Add(y);
            }
        }
        double n = divergences.Count, bits = Math.Log(2) * Rows.Sum(r => r.Bytes);

        var report = new VariantComparison { BatchTokens = 200 }.Run(models.TiedOnnx, variant, Rows, ct: Ct);

        Assert.Equal(divergences.Average(), report.MeanKld.Value, 1e-6);
        Assert.Equal(divergences.Order().ElementAt(divergences.Count / 2), report.MedianKld, 0.05 * report.MedianKld);
        Assert.InRange(report.Kld99, divergences.Order().ElementAt((int)(0.98 * n)), divergences.Max() + 1e-6);
        Assert.Equal(same / n, report.SameTop.Value, 2 / n); // a near tie may fall either way with another batch
        Assert.Equal(changes.Average(), report.MeanDeltaP, 1e-6);
        Assert.Equal(Math.Sqrt(changes.Average(c => c * c)), report.RmsDeltaP, 1e-6);
        Assert.Equal((logP.Sum() - logQ.Sum()) / bits, report.DeltaBitsPerByte.Value, 1e-5);
        Assert.Equal(-logP.Sum() / bits, report.BaseBitsPerByte.Value, 1e-5);
        Assert.Equal(Math.Exp(-logQ.Average()), report.VariantPerplexity, 1e-3 * report.VariantPerplexity);
        Assert.InRange(report.DeltaBitsPerByte.Value, report.DeltaBitsPerByte.Low, report.DeltaBitsPerByte.High);
        Assert.Equal((OnnxModel.SizeBytes(models.TiedOnnx), OnnxModel.SizeBytes(variant)), (report.BaseBytes, report.VariantBytes));
        Assert.Equal(report, JsonSerializer.Deserialize<ComparisonReport>(JsonSerializer.Serialize(report)));
    }

    [Fact]
    public void Run_TellsRoughVariantsFromFineOnes()
    {
        double Kld(QuantizationPass pass)
        {
            var target = models.New();
            pass.Run(models.TiedOnnx, target, ct: Ct);
            return new VariantComparison().Run(models.TiedOnnx, target, Rows, ct: Ct).MeanKld.Value;
        }

        double eight = Kld(new BlockwiseRtn(Bits: 8)), four = Kld(new BlockwiseRtn()), two = Kld(new BlockwiseRtn(Bits: 2));

        Assert.True(eight < four / 10 && four < two / 3, $"KLD {eight:g3}, {four:g3}, {two:g3}");
    }

    [Theory, InlineData(1, 4, "has 1 tokens"), InlineData(97, 4, "2 to 96"), InlineData(5, 0, "0 bytes")]
    public void Run_RefusesRowsThatCannotBeScored(int tokens, int bytes, string reason)
    {
        var error = Assert.Throws<ArgumentException>(() => new VariantComparison().Run(models.TiedOnnx, models.TiedOnnx, [new(Tokens(1, tokens), bytes)], ct: Ct));

        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    private static double[] LogSoftmax(float[] logits, int row, int vocabulary)
    {
        double[] values = [.. logits.Skip(row * vocabulary).Take(vocabulary).Select(l => (double)l)];
        var sum = Math.Log(values.Sum(Math.Exp));
        return [.. values.Select(v => v - sum)];
    }

    private static int[] Tokens(int seed, int length)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(304))];
    }
}
