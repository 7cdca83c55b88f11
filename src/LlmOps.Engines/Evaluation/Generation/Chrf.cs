using System.Globalization;

namespace LlmOps.Engines.Evaluation.Generation;

/// <summary>The choices that change a chrF score.</summary>
public sealed record ChrfOptions
{
    /// <summary>Longest character n-grams.</summary>
    public int CharacterOrder { get; init; } = 6;

    /// <summary>Longest word n-grams: 0 for chrF, 2 for chrF++ (Popović 2017).</summary>
    public int WordOrder { get; init; }

    /// <summary>β: recall counts β times as much as precision.</summary>
    public int Beta { get; init; } = 2;

    /// <summary>Whether case is ignored.</summary>
    public bool Lowercase { get; init; }

    /// <summary>Whether spaces are characters too.</summary>
    public bool Whitespace { get; init; }

    /// <summary>False: orders that the texts are too short for are left out. True: they count as 0, as in chrF++.py and NLTK.</summary>
    public bool EpsilonSmoothing { get; init; }

    /// <summary>All orders together.</summary>
    public int Orders => CharacterOrder + WordOrder;

    /// <summary>The usual name, such as chrF2 or chrF2++.</summary>
    public string Name => string.Create(CultureInfo.InvariantCulture, $"chrF{Beta}{new string('+', Math.Min(WordOrder, 2))}");

    /// <summary>In sacreBLEU's form, with this program in place of its version.</summary>
    /// <param name="references">How many references each item has; null: it varies.</param>
    public string Signature(int? references) => string.Create(CultureInfo.InvariantCulture,
        $"nrefs:{references?.ToString(CultureInfo.InvariantCulture) ?? "var"}|case:{(Lowercase ? "lc" : "mixed")}|eff:{(EpsilonSmoothing ? "no" : "yes")}|nc:{CharacterOrder}|nw:{WordOrder}|space:{(Whitespace ? "yes" : "no")}|version:llmops-1");
}

/// <summary>
/// chrF (Popović 2015) as sacreBLEU computes it: F_β of the mean precision and mean recall over character n-grams, 0 to 100.
/// Its statistics are three numbers per order that add up over segments: n-grams of the answer, of the reference, and common ones.
/// </summary>
public static class Chrf
{
    private const string Punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    private const double Epsilon = 1e-16;

    /// <summary>The statistics of one segment, against the reference that it scores best with.</summary>
    /// <param name="hypothesis">The model's answer.</param>
    /// <param name="references">Accepted answers; empty ones are left out.</param>
    /// <param name="options">Null: sacreBLEU's defaults.</param>
    /// <exception cref="ArgumentException">No reference has text.</exception>
    public static double[] Statistics(string hypothesis, IReadOnlyList<string> references, ChrfOptions? options = null)
    {
        options ??= new();
        var answer = Grams(hypothesis, options);
        double[]? best = null;
        var bestScore = -1.0;
        foreach (var reference in references.Where(r => r.Length > 0))
        {
            var wanted = Grams(reference, options);
            var found = new double[3 * options.Orders];
            for (var i = 0; i < options.Orders; i++)
            {
                var total = wanted[i].Values.Sum();
                // An order that the reference is too short for says nothing about the answer.
                found[3 * i] = total == 0 ? 0 : answer[i].Values.Sum();
                found[3 * i + 1] = total;
                found[3 * i + 2] = NGrams.Common(answer[i], wanted[i]);
            }
            var score = Score(found, options);
            if (score > bestScore)
                (best, bestScore) = (found, score);
        }
        return best ?? throw new ArgumentException("No reference has text; chrF needs one for each item.");
    }

    /// <summary>The score of a corpus, 0 to 100.</summary>
    /// <param name="statistics">Sum over its segments.</param>
    /// <param name="options">The options of the statistics.</param>
    /// <exception cref="ArgumentException">The statistics belong to other options.</exception>
    public static double Score(IReadOnlyList<double> statistics, ChrfOptions? options = null)
    {
        options ??= new();
        if (statistics.Count != 3 * options.Orders)
            throw new ArgumentException($"Statistics of chrF with {options.Orders} orders are {3 * options.Orders} numbers, not {statistics.Count}.");
        var (precisions, recalls, scores, effective) = (0.0, 0.0, 0.0, 0);
        for (var i = 0; i < options.Orders; i++)
        {
            var (answer, reference, common) = (statistics[3 * i], statistics[3 * i + 1], statistics[3 * i + 2]);
            var precision = answer > 0 ? common / answer : Epsilon;
            var recall = reference > 0 ? common / reference : Epsilon;
            scores += F(precision, recall, options.Beta);
            if (answer > 0 && reference > 0)
            {
                precisions += precision;
                recalls += recall;
                effective++;
            }
        }
        if (options.EpsilonSmoothing)
            return 100 * scores / options.Orders;
        return effective == 0 ? 0 : 100 * F(precisions / effective, recalls / effective, options.Beta);
    }

    /// <summary>The score of a whole corpus from its texts.</summary>
    /// <exception cref="ArgumentException">The numbers of answers and of reference lists differ, or an item has no reference.</exception>
    public static double Corpus(IReadOnlyList<string> hypotheses, IReadOnlyList<IReadOnlyList<string>> references, ChrfOptions? options = null)
    {
        if (hypotheses.Count != references.Count)
            throw new ArgumentException($"There are {hypotheses.Count} answers and references for {references.Count}.");
        var sums = new double[3 * (options ?? new()).Orders];
        for (var i = 0; i < hypotheses.Count; i++)
        {
            foreach (var (k, value) in Statistics(hypotheses[i], references[i], options).Index())
                sums[k] += value;
        }
        return Score(sums, options);
    }

    private static double F(double precision, double recall, int beta)
    {
        var weight = (double)beta * beta;
        var denominator = weight * precision + recall;
        return denominator > 0 ? (1 + weight) * precision * recall / denominator : 0;
    }

    private static Dictionary<string, int>[] Grams(string text, ChrfOptions options)
    {
        text = text.TrimEnd();
        if (options.Lowercase)
            text = text.ToLowerInvariant();
        var words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        var characters = options.Whitespace ? text : string.Concat(words);
        var starts = new List<int>(characters.Length + 1);
        for (var i = 0; i < characters.Length; i += char.IsSurrogatePair(characters, i) ? 2 : 1)
            starts.Add(i);
        starts.Add(characters.Length);
        int[] bounds = [.. starts];
        List<string> apart = options.WordOrder == 0 ? [] : [.. words.SelectMany(WithoutPunctuation)];
        return
        [
            .. Enumerable.Range(1, options.CharacterOrder).Select(n => NGrams.OfCharacters(characters, bounds, n)),
            .. Enumerable.Range(1, options.WordOrder).Select(n => NGrams.OfWords(apart, n)),
        ];
    }

    // One mark at the end or, failing that, one at the beginning: "(hi)" becomes "(hi" and ")", as in the reference implementation.
    private static string[] WithoutPunctuation(string word)
    {
        if (word.Length == 1)
            return [word];
        if (Punctuation.Contains(word[^1], StringComparison.Ordinal))
            return [word[..^1], word[^1..]];
        return Punctuation.Contains(word[0], StringComparison.Ordinal) ? [word[..1], word[1..]] : [word];
    }
}
