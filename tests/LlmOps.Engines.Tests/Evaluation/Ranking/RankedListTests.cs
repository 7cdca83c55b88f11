using LlmOps.Engines.Evaluation.Ranking;

namespace LlmOps.Engines.Tests.Evaluation.Ranking;

public sealed class RankedListTests
{
    private static readonly Dictionary<string, double> Grades = new() { ["a"] = 10, ["b"] = 0, ["c"] = 0, ["d"] = 1, ["e"] = 5 };

    private static RankedList Scored(params double[] scores) => new(scores.Select((s, i) => ($"{(char)('a' + i)}", s)), Grades);

    // The examples in the documentation of scikit-learn's dcg_score and ndcg_score (sklearn/metrics/_ranking.py); "0.69..." there is cut, not rounded.
    [Fact]
    public void Ndcg_AgreesWithScikitLearn()
    {
        var best = Scored(.1, .2, .3, 4, 70);
        Assert.Equal(9.49, Cut(RankedList.Dcg(best.Ids.Select(id => Grades[id]), 5, RelevanceGain.Linear)));
        Assert.Equal(5.63, Cut(RankedList.Dcg(best.Ids.Select(id => Grades[id]), 2, RelevanceGain.Linear)));
        Assert.Equal(0.69, Cut(best.Ndcg(5, RelevanceGain.Linear)!.Value));
        Assert.Equal(0.49, Cut(Scored(.05, 1.1, 1.0, .5, .0).Ndcg(5, RelevanceGain.Linear)!.Value));
        Assert.Equal(0.35, Cut(Scored(.05, 1.1, 1.0, .5, .0).Ndcg(4, RelevanceGain.Linear)!.Value));
        Assert.Equal(1.0, Scored(10, 0, 0, 1, 5).Ndcg(4, RelevanceGain.Linear));
    }

    // Wikipedia, "Discounted cumulative gain": grades 3, 2, 3, 0, 1, 2 of eight documents with 3 and 2 besides: DCG₆ 6.861, IDCG₆ 8.740, nDCG₆ 0.785.
    [Fact]
    public void Ndcg_AgreesWithTheUsualExample()
    {
        Assert.Equal(6.861, RankedList.Dcg([3, 2, 3, 0, 1, 2], 6, RelevanceGain.Linear), 5e-4);
        Assert.Equal(8.740, RankedList.Dcg([3, 3, 3, 2, 2, 2], 6, RelevanceGain.Linear), 5e-4);
        var grades = new Dictionary<string, double> { ["1"] = 3, ["2"] = 2, ["3"] = 3, ["4"] = 0, ["5"] = 1, ["6"] = 2, ["7"] = 3, ["8"] = 2 };
        var ranked = RankedList.InOrder(["1", "2", "3", "4", "5", "6"], grades);
        Assert.Equal(0.785, ranked.Ndcg(6, RelevanceGain.Linear)!.Value, 5e-4);
        // With 2^grade − 1: 7 + 3/log₂3 + 7/2 + 0 + 1/log₂6 + 3/log₂7 = 13.848, over 7 + 7/log₂3 + 7/2 + 3/log₂5 + 3/log₂6 + 3/log₂7 = 18.437.
        Assert.Equal(13.848 / 18.437, ranked.Ndcg(6, RelevanceGain.Exponential)!.Value, 5e-4);
    }

    [Fact]
    public void Measures_OfOneQuery()
    {
        var list = RankedList.InOrder(["x", "a", "y", "b", "z"], ["a", "b", "c"]);

        Assert.Equal((0.0, 1.0), (list.Hit(1), list.Hit(2)));
        Assert.Equal((0.0, 1 / 3.0, 2 / 3.0), (list.Recall(1), list.Recall(2), list.Recall(10)));
        Assert.Equal((0.5, 0.2), (list.Precision(2), list.Precision(10)));
        Assert.Equal(0.5, list.ReciprocalRank);
        Assert.Equal((1 / 2.0 + 2 / 4.0) / 3, list.AveragePrecision!.Value, 1e-15);
        Assert.Equal(0.0, RankedList.InOrder(["x"], ["a"]).ReciprocalRank);
    }

    [Fact]
    public void WithoutARelevantItem_ThereIsNoScore()
    {
        var list = RankedList.InOrder(["x"], Array.Empty<string>());

        Assert.Equal((null, null, null, null, null, null),
            (list.Hit(1), list.Recall(1), list.Precision(1), list.ReciprocalRank, list.AveragePrecision, list.Ndcg(1, RelevanceGain.Linear)));
    }

    [Fact]
    public void EqualScores_AreOrderedById()
    {
        Assert.Equal(["a", "b", "c"], new RankedList([("c", 1), ("a", 1), ("b", 1)], Grades).Ids);
        Assert.Throws<ArgumentException>(() => new RankedList([("a", 1), ("a", 2)], Grades));
        Assert.Throws<ArgumentException>(() => new RankedList([("a", double.NaN)], Grades));
    }

    private static double Cut(double value) => Math.Floor(value * 100) / 100;
}
