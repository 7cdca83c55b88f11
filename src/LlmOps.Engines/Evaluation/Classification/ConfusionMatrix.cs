namespace LlmOps.Engines.Evaluation.Classification;

/// <summary>Precision, recall and F1 of one label, each 0 where nothing could be divided by.</summary>
/// <param name="Label">The label.</param>
/// <param name="Precision">Right / given this label.</param>
/// <param name="Recall">Right / having this label.</param>
/// <param name="F1">2PR/(P+R).</param>
/// <param name="Support">Rows that have this label.</param>
public sealed record LabelScore(string Label, double Precision, double Recall, double F1, int Support);

/// <summary>
/// How often each label was given for each: the sufficient statistics of a classifier. The values agree with scikit-learn's. Labels stand in ordinal order.
/// A row without a usable label counts as given <see cref="NoLabel"/>, which is wrong and no class of its own.
/// </summary>
public sealed class ConfusionMatrix
{
    /// <summary>Stands for an answer that is none of the labels.</summary>
    public const string NoLabel = "";

    private readonly int[,] counts;

    private ConfusionMatrix(string[] labels, int[,] counts) => (Labels, this.counts, Rows) = (labels, counts, counts.Cast<int>().Sum());

    /// <summary>The labels, without <see cref="NoLabel"/>.</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>Rows that have the first label and were given the second; the index after the last label stands for <see cref="NoLabel"/>.</summary>
    public int this[int expected, int given] => counts[expected, given];

    /// <summary>Counts rows.</summary>
    /// <exception cref="ArgumentException">There is no row, or one has no expected label.</exception>
    public static ConfusionMatrix Of(IEnumerable<(string Expected, string Given)> rows)
    {
        var list = rows.ToList();
        if (list.Count == 0 || list.Exists(r => r.Expected == NoLabel))
            throw new ArgumentException("A classifier is scored on one row or more, each with its expected label.");
        string[] labels = [.. list.SelectMany(r => new[] { r.Expected, r.Given }).Where(l => l != NoLabel).Distinct().Order(StringComparer.Ordinal)];
        var index = labels.Index().ToDictionary(l => l.Item, l => l.Index, StringComparer.Ordinal);
        var counts = new int[labels.Length, labels.Length + 1];
        foreach (var (expected, given) in list)
            counts[index[expected], index.GetValueOrDefault(given, labels.Length)]++;
        return new ConfusionMatrix(labels, counts);
    }

    /// <summary>A row as numbers that add up over rows: 1 in its cell, of as many rows of cells as there are labels, each with one cell more for <see cref="NoLabel"/>.</summary>
    /// <param name="labels">All labels of the task; the same list must be used for every row.</param>
    /// <param name="expected">The row's label.</param>
    /// <param name="given">The answer; what is none of the labels counts as <see cref="NoLabel"/>.</param>
    /// <exception cref="ArgumentException">The row's label is none of the labels.</exception>
    public static double[] RowStatistics(IReadOnlyList<string> labels, string expected, string given)
    {
        var vector = new double[labels.Count * (labels.Count + 1)];
        var (row, column) = (IndexOf(labels, expected), IndexOf(labels, given));
        if (row == labels.Count)
            throw new ArgumentException($"\"{expected}\" is none of the labels: {string.Join(", ", labels)}.");
        vector[row * (labels.Count + 1) + column] = 1;
        return vector;
    }

    /// <summary>From a sum of <see cref="RowStatistics"/>.</summary>
    /// <exception cref="ArgumentException">The numbers are not those of as many labels.</exception>
    public static ConfusionMatrix FromStatistics(IReadOnlyList<string> labels, IReadOnlyList<double> sums)
    {
        if (sums.Count != labels.Count * (labels.Count + 1))
            throw new ArgumentException($"Statistics of {labels.Count} labels are {labels.Count * (labels.Count + 1)} numbers, not {sums.Count}.");
        var counts = new int[labels.Count, labels.Count + 1];
        for (var i = 0; i < sums.Count; i++)
            counts[i / (labels.Count + 1), i % (labels.Count + 1)] = (int)Math.Round(sums[i]);
        return new ConfusionMatrix([.. labels], counts);
    }

    /// <summary>Share of rows given their label.</summary>
    public double Accuracy => Diagonal / (double)Rows;

    /// <summary>Precision, recall and F1 of each label.</summary>
    public IReadOnlyList<LabelScore> PerLabel => field ??= [.. Labels.Select((label, i) =>
    {
        var (right, given, have) = (counts[i, i], Given(i), Having(i));
        return new LabelScore(label, Share(right, given), Share(right, have), Share(2.0 * right, given + have), have);
    })];

    /// <summary>Mean F1 of the labels that rows have or were given: each counts the same, however rare.</summary>
    public double MacroF1 => PerLabel.Where((_, i) => Having(i) + Given(i) > 0).Average(l => l.F1);

    /// <summary>F1 over all decisions together; where every row gets a label it equals the accuracy.</summary>
    public double MicroF1 => Share(2.0 * Diagonal, Rows + Enumerable.Range(0, Labels.Count).Sum(Given));

    /// <summary>Mean F1 weighted by how many rows have the label.</summary>
    public double WeightedF1 => PerLabel.Sum(l => l.F1 * l.Support) / Rows;

    /// <summary>
    /// Matthews's correlation for any number of labels (Gorodkin 2004), −1 to 1: (c·s − Σ pₖtₖ) / √((s² − Σ pₖ²)(s² − Σ tₖ²)); 0 where only one label occurs or is given.
    /// </summary>
    public double Mcc
    {
        get
        {
            var given = Enumerable.Range(0, Labels.Count + 1).Select(i => (double)Given(i)).ToArray();
            var have = Enumerable.Range(0, Labels.Count).Select(i => (double)Having(i)).ToArray();
            var s = (double)Rows;
            var covariance = Diagonal * s - have.Zip(given, (t, p) => t * p).Sum();
            var scale = Math.Sqrt((s * s - given.Sum(p => p * p)) * (s * s - have.Sum(t => t * t)));
            return Share(covariance, scale);
        }
    }

    private int Diagonal => Enumerable.Range(0, Labels.Count).Sum(i => counts[i, i]);

    private int Given(int label) => Enumerable.Range(0, Labels.Count).Sum(i => counts[i, label]);

    private int Having(int label) => Enumerable.Range(0, Labels.Count + 1).Sum(j => counts[label, j]);

    private static int IndexOf(IReadOnlyList<string> labels, string label)
    {
        var i = 0;
        while (i < labels.Count && labels[i] != label)
            i++;
        return i;
    }

    private static double Share(double part, double whole) => whole == 0 ? 0 : part / whole;
}
