using System.Globalization;

namespace LlmOps.Engines.Evaluation.Generation;

/// <summary>What stands in for an n-gram precision of 0 (Chen and Cherry 2014).</summary>
public enum BleuSmoothing
{
    /// <summary>The k-th zero becomes 1/(2^k · total), as in mteval-v13a; sacreBLEU's default.</summary>
    Exponential,

    /// <summary>A count of 0 becomes the smoothing value, 0.1 unless told.</summary>
    Floor,

    /// <summary>The smoothing value, 1 unless told, is added to counts and totals from n = 2 on.</summary>
    AddK,

    /// <summary>Nothing: one zero makes the score 0.</summary>
    None,
}

/// <summary>The choices that change a BLEU score; their <see cref="Signature"/> belongs beside every score.</summary>
public sealed record BleuOptions
{
    /// <summary>How texts are cut into words.</summary>
    public BleuTokenizer Tokenizer { get; init; } = BleuTokenizer.Mteval13a;

    /// <summary>What stands in for a precision of 0.</summary>
    public BleuSmoothing Smoothing { get; init; } = BleuSmoothing.Exponential;

    /// <summary>For <see cref="BleuSmoothing.Floor"/> and <see cref="BleuSmoothing.AddK"/>; null: 0.1 and 1.</summary>
    public double? SmoothingValue { get; init; }

    /// <summary>Whether case is ignored.</summary>
    public bool Lowercase { get; init; }

    /// <summary>Whether orders that the answer is too short for are left out. For single sentences only.</summary>
    public bool EffectiveOrder { get; init; }

    /// <summary>The value used: the given one or the default of the method.</summary>
    public double Value => SmoothingValue ?? (Smoothing == BleuSmoothing.AddK ? 1 : 0.1);

    /// <summary>In sacreBLEU's form, with this program in place of its version.</summary>
    /// <param name="references">How many references each item has; null: it varies.</param>
    public string Signature(int? references)
    {
        var smoothing = Smoothing switch
        {
            BleuSmoothing.Exponential => "exp",
            BleuSmoothing.Floor => string.Create(CultureInfo.InvariantCulture, $"floor[{Value:F2}]"),
            BleuSmoothing.AddK => string.Create(CultureInfo.InvariantCulture, $"add-k[{Value:F2}]"),
            _ => "none",
        };
        var count = references?.ToString(CultureInfo.InvariantCulture) ?? "var";
        return $"nrefs:{count}|case:{(Lowercase ? "lc" : "mixed")}|eff:{(EffectiveOrder ? "yes" : "no")}|tok:{BleuWords.Name(Tokenizer)}|smooth:{smoothing}|version:llmops-1";
    }
}

/// <summary>A BLEU score and what it is made of.</summary>
/// <param name="Value">0 to 100.</param>
/// <param name="Precisions">For n = 1 to 4, 0 to 100, smoothed.</param>
/// <param name="BrevityPenalty">e^(1 − r/c) if the answers are shorter than the references, else 1.</param>
/// <param name="Statistics">The sums it was computed from.</param>
public sealed record BleuScore(double Value, IReadOnlyList<double> Precisions, double BrevityPenalty, BleuStatistics Statistics)
{
    /// <summary>As sacreBLEU prints it.</summary>
    public override string ToString()
    {
        var ratio = Statistics.ReferenceLength == 0 ? 0 : Statistics.HypothesisLength / (double)Statistics.ReferenceLength;
        var precisions = string.Join('/', Precisions.Select(p => p.ToString("F1", CultureInfo.InvariantCulture)));
        return string.Create(CultureInfo.InvariantCulture,
            $"BLEU = {Value:F2} {precisions} (BP = {BrevityPenalty:F3} ratio = {ratio:F3} hyp_len = {Statistics.HypothesisLength} ref_len = {Statistics.ReferenceLength})");
    }
}

/// <summary>
/// BLEU (Papineni et al. 2002) as sacreBLEU computes it (Post 2018): BP · exp(¼ Σ ln pₙ), n-grams of 1 to 4 words clipped per segment and summed over the corpus.
/// </summary>
public static class Bleu
{
    /// <summary>The statistics of one segment.</summary>
    /// <param name="hypothesis">The model's answer.</param>
    /// <param name="references">Accepted answers; empty ones are left out.</param>
    /// <param name="options">Null: sacreBLEU's defaults.</param>
    /// <exception cref="ArgumentException">No reference has text.</exception>
    public static BleuStatistics Statistics(string hypothesis, IReadOnlyList<string> references, BleuOptions? options = null)
    {
        options ??= new();
        var words = BleuWords.Of(hypothesis, options.Tokenizer, options.Lowercase);
        var wanted = references.Where(r => r.Length > 0).Select(r => BleuWords.Of(r, options.Tokenizer, options.Lowercase)).ToList();
        if (wanted.Count == 0)
            throw new ArgumentException("No reference has text; BLEU needs one for each item.");
        var counts = new int[BleuStatistics.Orders];
        var totals = new int[BleuStatistics.Orders];
        for (var n = 1; n <= BleuStatistics.Orders; n++)
        {
            var most = wanted.Select(w => NGrams.OfWords(w, n)).Aggregate(Most);
            counts[n - 1] = NGrams.Common(NGrams.OfWords(words, n), most);
            totals[n - 1] = Math.Max(0, words.Length - n + 1);
        }
        var closest = wanted.Select(w => w.Length).OrderBy(l => Math.Abs(l - words.Length)).ThenBy(l => l).First();
        return new BleuStatistics(words.Length, closest, counts, totals);
    }

    /// <summary>The score of a corpus.</summary>
    /// <param name="statistics">Sum over its segments.</param>
    /// <param name="options">The options of the statistics.</param>
    public static BleuScore Score(BleuStatistics statistics, BleuOptions? options = null)
    {
        options ??= new();
        var (length, wanted) = (statistics.HypothesisLength, statistics.ReferenceLength);
        var penalty = length >= wanted ? 1 : length == 0 ? 0 : Math.Exp(1 - wanted / (double)length);
        var precisions = new double[BleuStatistics.Orders];
        if (statistics.Counts.All(c => c == 0))
            return new BleuScore(0, precisions, penalty, statistics);
        var (orders, halved) = (BleuStatistics.Orders, 1.0);
        for (var n = 0; n < BleuStatistics.Orders; n++)
        {
            var added = options.Smoothing == BleuSmoothing.AddK && n > 0 ? options.Value : 0;
            var (count, total) = (statistics.Counts[n] + added, statistics.Totals[n] + added);
            if (total == 0)
                break;
            if (options.EffectiveOrder)
                orders = n + 1;
            precisions[n] = 100 / total * (count, options.Smoothing) switch
            {
                (0, BleuSmoothing.Exponential) => 1 / (halved *= 2),
                (0, BleuSmoothing.Floor) => options.Value,
                _ => count,
            };
        }
        // ln 0 is −∞ and its exponential 0, as wanted.
        var score = penalty * Math.Exp(precisions.Take(orders).Sum(Math.Log) / orders);
        return new BleuScore(score, precisions, penalty, statistics);
    }

    /// <summary>The score of a whole corpus from its texts.</summary>
    /// <exception cref="ArgumentException">The numbers of answers and of reference lists differ, or an item has no reference.</exception>
    public static BleuScore Corpus(IReadOnlyList<string> hypotheses, IReadOnlyList<IReadOnlyList<string>> references, BleuOptions? options = null)
    {
        if (hypotheses.Count != references.Count)
            throw new ArgumentException($"There are {hypotheses.Count} answers and references for {references.Count}.");
        return Score(hypotheses.Select((h, i) => Statistics(h, references[i], options)).Aggregate(BleuStatistics.Zero, BleuStatistics.Add), options);
    }

    /// <summary>The score of one sentence, with effective order as sacreBLEU advises. Its mean over a corpus is not the corpus's BLEU.</summary>
    /// <exception cref="ArgumentException">No reference has text.</exception>
    public static BleuScore Sentence(string hypothesis, IReadOnlyList<string> references, BleuOptions? options = null)
    {
        options = (options ?? new()) with { EffectiveOrder = true };
        return Score(Statistics(hypothesis, references, options), options);
    }

    private static Dictionary<string, int> Most(Dictionary<string, int> a, Dictionary<string, int> b)
    {
        foreach (var (gram, count) in b)
            a[gram] = Math.Max(count, a.GetValueOrDefault(gram));
        return a;
    }
}
