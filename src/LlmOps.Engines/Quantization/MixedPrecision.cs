using System.Text.RegularExpressions;

namespace LlmOps.Engines.Quantization;

/// <summary>Spends a budget of bytes where it helps most.</summary>
public static class MixedPrecision
{
    /// <summary>
    /// Starts with the fewest bits everywhere and takes, step by step, the upgrade with the largest ΔKLD / Δbytes that still fits. Divergences of single layers
    /// are added up, which is an approximation: the result has to be measured.
    /// </summary>
    /// <param name="report">What every layer costs.</param>
    /// <param name="budgetBytes">For the packed layers together; head, embedding and norms come on top.</param>
    /// <exception cref="ArgumentException">The budget does not even hold the fewest bits.</exception>
    public static MixedPrecisionPlan Plan(SensitivityReport report, long budgetBytes)
    {
        var chosen = report.Layers.Select(layer => layer.Measures[0]).ToArray();
        var least = chosen.Sum(m => m.Bytes);
        if (least > budgetBytes)
            throw new ArgumentException($"The layers need {least} bytes at the fewest bits measured; the budget is {budgetBytes}.", nameof(budgetBytes));
        var spent = least;
        var steps = new List<PrecisionStep>();
        while (true)
        {
            var best = report.Layers.Index().SelectMany(l => l.Item.Measures.Where(m => m.Bits > chosen[l.Index].Bits).Select(m => (l.Index, Measure: m, Bytes: m.Bytes - chosen[l.Index].Bytes, Kld: chosen[l.Index].MeanKld - m.MeanKld)))
                .Where(c => c.Kld > 0 && spent + c.Bytes <= budgetBytes).OrderByDescending(c => c.Kld / c.Bytes).ThenBy(c => c.Index).Select(c => ((int, BitMeasure, long, double)?)c).FirstOrDefault();
            if (best is not var (index, measure, bytes, kld))
                break;
            spent += bytes;
            chosen[index] = measure;
            steps.Add(new(report.Layers[index].Nodes, measure.Bits, bytes, kld));
        }
        var overrides = report.Layers.Zip(chosen).Select(p => new BitOverride($"^(?:{string.Join('|', p.First.Nodes.Select(Regex.Escape))})$", p.Second.Bits)).ToList();
        return new(overrides, spent, chosen.Sum(m => m.MeanKld), steps);
    }
}

/// <summary>Bits for every layer.</summary>
/// <param name="Overrides">For <see cref="BlockwiseRtn.Overrides"/>.</param>
/// <param name="Bytes">Packed layers.</param>
/// <param name="SummedKld">Sum of the chosen layers' divergences, each measured alone.</param>
/// <param name="Steps">Upgrades in the order in which they were taken.</param>
public sealed record MixedPrecisionPlan(IReadOnlyList<BitOverride> Overrides, long Bytes, double SummedKld, IReadOnlyList<PrecisionStep> Steps);

/// <summary>One upgrade.</summary>
/// <param name="Nodes">Products that share it.</param>
/// <param name="Bits">New number of bits.</param>
/// <param name="Bytes">What it costs.</param>
/// <param name="Kld">What it wins, nats.</param>
public sealed record PrecisionStep(IReadOnlyList<string> Nodes, int Bits, long Bytes, double Kld);
