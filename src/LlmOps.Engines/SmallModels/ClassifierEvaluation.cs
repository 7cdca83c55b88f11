using LlmOps.Engines.Pictures;

namespace LlmOps.Engines.SmallModels;

/// <summary>Accuracy and macro-F1 of scores over labels, with the confusion matrix and the pictures that were mistaken.</summary>
internal static class ClassifierEvaluation
{
    private const int MostShown = 24, Zoom = 4;

    /// <param name="labels">What the scores stand for.</param>
    /// <param name="samples">Each with a label.</param>
    /// <param name="scores">For each sample one score a label.</param>
    /// <param name="margins">The scores are distances from a border, which are no logits: they are shown as they are.</param>
    public static SmallModelScores Score(IReadOnlyList<string> labels, IReadOnlyList<Sample> samples, IReadOnlyList<float[]> scores, bool margins = false)
    {
        var (rows, confusion, mistakes) = (new List<SampleScore>(), new int[labels.Count, labels.Count], new List<(Sample Sample, int Wanted, int Said)>());
        foreach (var (i, sample) in samples.Index())
        {
            var wanted = IndexOf(labels, sample.Target);
            var (said, probability) = Best(scores[i]);
            var strength = margins ? $"margin {scores[i][said].ToString("0.000", System.Globalization.CultureInfo.InvariantCulture)}" : probability.ToString("0.000", System.Globalization.CultureInfo.InvariantCulture);
            confusion[wanted, said]++;
            if (said != wanted)
                mistakes.Add((sample, wanted, said));
            rows.Add(new(i, SmallModelMetrics.Accuracy, said == wanted ? 1 : 0, null, labels[wanted], $"{labels[said]} ({strength})", labels[wanted]));
            var statistics = new double[3 * labels.Count];
            statistics[3 * said + 1]++;
            statistics[3 * wanted + 2]++;
            if (said == wanted)
                statistics[3 * said]++;
            rows.Add(new(i, SmallModelMetrics.MacroF1, said == wanted ? 1 : 0, statistics));
        }
        List<Picture> pictures = [Confusion(labels, confusion)];
        if (mistakes.Count > 0 && mistakes.All(m => m.Sample.IsImage))
            pictures.Add(Mistakes(labels, mistakes));
        return new(rows, pictures);
    }

    private static int IndexOf(IReadOnlyList<string> labels, string label)
    {
        for (var i = 0; i < labels.Count; i++)
            if (labels[i] == label)
                return i;
        throw new ArgumentException(label.Length == 0 ? "A sample has no label, so nobody can say whether the answer is right."
            : $"The label '{label}' is none of those that the model knows: {string.Join(", ", labels.Take(20))}.");
    }

    /// <summary>The best label and its probability: softmax of the scores.</summary>
    private static (int Label, double Probability) Best(float[] scores)
    {
        var best = System.Numerics.Tensors.TensorPrimitives.IndexOfMax(scores);
        return (best, 1 / scores.Sum(s => Math.Exp((double)s - scores[best])));
    }

    /// <summary>Rows are the right labels, columns what the model said; shades are shares of a row.</summary>
    public static Picture Confusion(IReadOnlyList<string> labels, int[,] counts)
    {
        const int cellWidth = 44, cellHeight = 22, most = 10;
        string Short(string label) => label.Length <= most ? label : label[..most];
        var (n, left, top) = (labels.Count, 8 * Math.Min(most, labels.Max(l => l.Length)) + 12, 24);
        var picture = new Raster(left + n * cellWidth + 4, top + n * cellHeight + 4);
        var (ink, full) = (Rgb.Grey(20), Rgb.Series[0]);
        for (var wanted = 0; wanted < n; wanted++)
        {
            picture.Text(4, top + wanted * cellHeight + 6, Short(labels[wanted]), ink);
            picture.Text(left + wanted * cellWidth + 2, 8, Short(labels[wanted]) is var label && label.Length > 5 ? label[..5] : label, ink);
            var total = Enumerable.Range(0, n).Sum(said => counts[wanted, said]);
            for (var said = 0; said < n; said++)
            {
                var share = total == 0 ? 0 : (double)counts[wanted, said] / total;
                picture.Fill(left + said * cellWidth, top + wanted * cellHeight, cellWidth - 1, cellHeight - 1, Rgb.Between(Rgb.Grey(245), full, Math.Sqrt(share)));
                if (counts[wanted, said] > 0)
                    picture.Text(left + said * cellWidth + 4, top + wanted * cellHeight + 6, counts[wanted, said].ToString(System.Globalization.CultureInfo.InvariantCulture), share > 0.3 ? Rgb.Grey(255) : ink);
            }
        }
        return new("Confusion matrix: rows are the right labels, columns the answers", picture.ToPng());
    }

    private static Picture Mistakes(IReadOnlyList<string> labels, List<(Sample Sample, int Wanted, int Said)> mistakes)
    {
        var shown = mistakes.Take(MostShown).ToList();
        var (columns, width, height) = (Math.Min(8, shown.Count), Math.Max(76, shown[0].Sample.Width * Zoom + 8), shown[0].Sample.Height * Zoom + 24);
        var picture = new Raster(columns * width + 8, (shown.Count + columns - 1) / columns * height + 8);
        string Short(int label) => labels[label].Length <= 4 ? labels[label] : labels[label][..4];
        foreach (var (i, (sample, wanted, said)) in shown.Index())
        {
            var (x, y) = (8 + i % columns * width, 8 + i / columns * height);
            picture.Image(x, y, sample.Values, sample.Width, Zoom);
            picture.Text(x, y + sample.Height * Zoom + 4, $"{Short(wanted)}>{Short(said)}", Rgb.Series[3]);
        }
        return new($"Mistaken pictures, right label > answer; at most {MostShown}", picture.ToPng());
    }
}
