namespace LlmOps.Engines.Evaluation.Ranking;

/// <summary>How a grade of relevance counts in nDCG. The choice belongs beside every score.</summary>
public enum RelevanceGain
{
    /// <summary>2^grade − 1 (Burges et al. 2005): high grades count much more.</summary>
    Exponential,

    /// <summary>The grade itself (Järvelin and Kekäläinen 2002), as in trec_eval and scikit-learn.</summary>
    Linear,
}

/// <summary>
/// What a search returned for one query, judged. Every measure is null for a query without a relevant item: such queries are counted as missing, never averaged.
/// </summary>
public sealed class RankedList
{
    private readonly string[] ids;
    private readonly IReadOnlyDictionary<string, double> grades;
    private readonly int relevant;

    /// <summary>Puts results in order: by score from the greatest, equal ones by id in ordinal order, so that a run gives the same list each time.</summary>
    /// <param name="results">Ids, each once, with their scores.</param>
    /// <param name="grades">Grades of the items that are relevant, above 0; others are not relevant.</param>
    /// <exception cref="ArgumentException">An id occurs twice, or a score is not a number.</exception>
    public RankedList(IEnumerable<(string Id, double Score)> results, IReadOnlyDictionary<string, double> grades)
        : this([.. Ordered(results)], grades)
    {
    }

    private RankedList(string[] ids, IReadOnlyDictionary<string, double> grades)
    {
        if (ids.Distinct(StringComparer.Ordinal).Count() != ids.Length)
            throw new ArgumentException("A result occurs twice; each item may be ranked once.");
        (this.ids, this.grades, relevant) = (ids, grades, grades.Count(g => g.Value > 0));
    }

    /// <summary>From ids that are in order already.</summary>
    /// <exception cref="ArgumentException">An id occurs twice.</exception>
    public static RankedList InOrder(IEnumerable<string> ids, IReadOnlyDictionary<string, double> grades) => new([.. ids], grades);

    /// <summary>From ids that are in order already; all listed items are relevant alike.</summary>
    /// <exception cref="ArgumentException">An id occurs twice.</exception>
    public static RankedList InOrder(IEnumerable<string> ids, IEnumerable<string> relevant) => new([.. ids], relevant.Distinct().ToDictionary(id => id, _ => 1.0, StringComparer.Ordinal));

    /// <summary>Ids from the first rank on.</summary>
    public IReadOnlyList<string> Ids => ids;

    /// <summary>hit@k: 1 if one of the first k is relevant, else 0.</summary>
    public double? Hit(int k) => Of(() => Found(k) > 0 ? 1 : 0);

    /// <summary>recall@k: relevant ones among the first k / all relevant ones.</summary>
    public double? Recall(int k) => Of(() => Found(k) / (double)relevant);

    /// <summary>precision@k: relevant ones among the first k / k, also where fewer than k were returned.</summary>
    public double? Precision(int k) => Of(() => Found(k) / (double)k);

    /// <summary>1 / rank of the first relevant one, 0 if there is none; its mean over queries is MRR.</summary>
    public double? ReciprocalRank => Of(() => Array.FindIndex(ids, IsRelevant) is >= 0 and var first ? 1.0 / (first + 1) : 0);

    /// <summary>Σ precision at each relevant one / all relevant ones; its mean over queries is MAP.</summary>
    public double? AveragePrecision => Of(() => ids.Index().Where(r => IsRelevant(r.Item)).Select((r, before) => (before + 1.0) / (r.Index + 1)).Sum() / relevant);

    /// <summary>DCG@k / DCG@k of the best order, with DCG = Σ gain / log₂(rank + 1).</summary>
    public double? Ndcg(int k, RelevanceGain gain) =>
        Of(() => Dcg(ids.Select(Grade), k, gain) / Dcg(grades.Values.Where(g => g > 0).OrderDescending(), k, gain));

    /// <summary>Σ gain / log₂(rank + 1) over the first k grades.</summary>
    public static double Dcg(IEnumerable<double> inOrder, int k, RelevanceGain gain) =>
        inOrder.Take(k).Select((g, i) => (gain == RelevanceGain.Linear ? g : Math.Pow(2, g) - 1) / Math.Log2(i + 2)).Sum();

    private static IEnumerable<string> Ordered(IEnumerable<(string Id, double Score)> results)
    {
        var list = results.ToList();
        if (list.Exists(r => double.IsNaN(r.Score)))
            throw new ArgumentException("A score is not a number, so the results have no order.");
        return list.OrderByDescending(r => r.Score).ThenBy(r => r.Id, StringComparer.Ordinal).Select(r => r.Id);
    }

    private double? Of(Func<double> measure) => relevant == 0 ? null : measure();

    private int Found(int k)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        return ids.Take(k).Count(IsRelevant);
    }

    private bool IsRelevant(string id) => Grade(id) > 0;

    private double Grade(string id) => grades.GetValueOrDefault(id);
}
