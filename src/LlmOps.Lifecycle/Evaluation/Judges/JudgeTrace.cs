using System.Text.Json.Serialization;
using LlmOps.Engines.Evaluation.Statistics;

namespace LlmOps.Lifecycle.Evaluation.Judges;

/// <summary>One question to a judge and what came back.</summary>
/// <param name="Swapped">The baseline was shown first.</param>
/// <param name="Value">Pairwise: 1 when the candidate is preferred, 0 when the baseline is, 0.5 for a tie. Otherwise the score.</param>
public sealed record JudgeQuestion(bool Swapped, double Value, int PromptTokens, int AnswerTokens, string Reply);

/// <summary>All that a judge was asked about one row; stored with the row.</summary>
/// <param name="Judge">"name/number".</param>
/// <param name="CandidateLength">Characters.</param>
/// <param name="BaselineLength">Characters; null where one answer is graded.</param>
public sealed record JudgeTrace(string Judge, IReadOnlyList<JudgeQuestion> Asked, int CandidateLength, int? BaselineLength)
{
    /// <summary>The majority of an order's samples: 1, 0 or 0.5.</summary>
    private double? Majority(bool swapped)
    {
        var values = Asked.Where(q => q.Swapped == swapped).Select(q => q.Value).ToList();
        return values.Count == 0 ? null : values.Average() is var mean && mean > 0.5 ? 1 : mean < 0.5 ? 0 : 0.5;
    }

    /// <summary>Null when the answers were shown in one order only.</summary>
    [JsonIgnore]
    public BothOrders? Orders => Majority(true) is { } swapped ? new BothOrders(Majority(false)!.Value, swapped, CandidateLength - (BaselineLength ?? 0)) : null;

    /// <summary>1, 0 or 0.5; a preference that changes with the order is none.</summary>
    [JsonIgnore]
    public double Win => Orders is { } orders ? orders.First == orders.Swapped ? orders.First : 0.5 : Majority(false)!.Value;

    [JsonIgnore]
    public bool Consistent => Orders is not { } orders || orders.First == orders.Swapped;

    [JsonIgnore]
    public double MeanScore => Asked.Average(q => q.Value);

    /// <summary>Share of the samples of an order that say what most of them say; null with one sample.</summary>
    [JsonIgnore]
    public double? SelfConsistency
    {
        get
        {
            var orders = Asked.GroupBy(q => q.Swapped).Where(g => g.Count() > 1).Select(g => g.GroupBy(q => q.Value).Max(v => v.Count()) / (double)g.Count()).ToList();
            return orders.Count == 0 ? null : orders.Average();
        }
    }
}
