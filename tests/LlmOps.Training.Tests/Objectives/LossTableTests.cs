using LlmOps.Training.Objectives;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Tests.Objectives;

/// <summary>
/// Two pairs worked out by hand. Pair 1: log π −12 and −15 over 4 and 6 tokens, reference −13.5 and −14, so r_c = 1.5, r_r = −1, Δ = 2.5.
/// Pair 2: log π −9 and −7.5 over 3 and 2 tokens, reference −8 and −8.5, so r_c = −1, r_r = 1, Δ = −2. β = 0.1, ε = 0.2, γ = 0.5.
/// </summary>
public sealed class LossTableTests
{
    public LossTableTests() => TorchRuntime.Start(2);

    internal static readonly double[] Chosen = [-12, -9], Rejected = [-15, -7.5], ChosenTokens = [4, 3], RejectedTokens = [6, 2];
    internal static readonly double[] ReferenceChosen = [-13.5, -8], ReferenceRejected = [-14, -8.5];

    [Theory]
    [InlineData(PreferenceObjective.Sigmoid, 0.5759394198788436, 0.7981388693815918)] // ln(1 + e^-0.25), ln(1 + e^0.2)
    [InlineData(PreferenceObjective.ConservativeSigmoid, 0.6259394198788436, 0.7581388693815919)]
    [InlineData(PreferenceObjective.Hinge, 0.75, 1.2)] // 1 - 0.25, 1 + 0.2
    [InlineData(PreferenceObjective.Identity, 19.876736111111107, 34.02777777777777)] // (1.5/4 + 1/6 - 5)^2, (-1/3 - 1/2 - 5)^2
    [InlineData(PreferenceObjective.Robust, 0.4926060865455103, 0.8648055360482586)]
    [InlineData(PreferenceObjective.AnchoredZero, 0.9375909671773104, 1.04995837495788)]
    [InlineData(PreferenceObjective.SelfPlayHard, 28.25, 72)] // 3.5^2 + 4^2, 6^2 + 6^2
    [InlineData(PreferenceObjective.NormalizedSigmoid, 0.6664305558715657, 0.7356816517249078)]
    [InlineData(PreferenceObjective.OddsRatio, 0.09957425529217226, 0.03782028120169552)]
    [InlineData(PreferenceObjective.Contrastive, 0.5543552444685271, 0.7709570477895321)] // ln(1 + e^-0.3), ln(1 + e^0.15)
    [InlineData(PreferenceObjective.Simple, 1.0054924814633377, 0.9280574001728006)] // ln(1 + e^0.55), ln(1 + e^0.425)
    public void EveryPreferenceLoss_EqualsItsTable(PreferenceObjective objective, double first, double second)
    {
        using var scope = NewDisposeScope();
        double[] loss = Loss(objective).Of(Pairs()).data<double>().ToArray();

        Assert.Equal(first, loss[0], 1e-12);
        Assert.Equal(second, loss[1], 1e-12);
    }

    [Theory]
    [InlineData(PreferenceObjective.Sigmoid, 0.6931471805599453)]
    [InlineData(PreferenceObjective.ConservativeSigmoid, 0.6931471805599453)]
    [InlineData(PreferenceObjective.Robust, 0.6931471805599453)]
    [InlineData(PreferenceObjective.NormalizedSigmoid, 0.6931471805599453)]
    [InlineData(PreferenceObjective.Hinge, 1)]
    [InlineData(PreferenceObjective.AnchoredZero, 1)]
    [InlineData(PreferenceObjective.Identity, 25)]
    [InlineData(PreferenceObjective.SelfPlayHard, 50)]
    public void AModelThatIsItsOwnReference_HasTheKnownLoss(PreferenceObjective objective, double expected)
    {
        using var scope = NewDisposeScope();
        var same = new PairLogProbabilities(tensor(Chosen), tensor(Rejected), tensor(ChosenTokens), tensor(RejectedTokens), tensor(Chosen), tensor(Rejected));

        Assert.All(Loss(objective).Of(same).data<double>().ToArray(), l => Assert.Equal(expected, l, 1e-12));
        Assert.Equal(expected, Loss(objective).AtReference, 1e-12);
    }

    [Fact]
    public void Rewards_AreBetaTimesWhatTheObjectiveCompares()
    {
        using var scope = NewDisposeScope();
        Assert.Equal([0.15, -0.1], Round(Loss(PreferenceObjective.Sigmoid).Rewards(Pairs()).Chosen));
        Assert.Equal([-0.1, 0.1], Round(Loss(PreferenceObjective.Sigmoid).Rewards(Pairs()).Rejected));
        Assert.Equal([-0.3, -0.3], Round(Loss(PreferenceObjective.Simple).Rewards(Pairs()).Chosen));
        Assert.Equal([-1.5, -0.75], Round(Loss(PreferenceObjective.Contrastive).Rewards(Pairs()).Rejected));
        double[] odds = PreferenceLoss.LogOdds(Pairs()).data<double>().ToArray();
        Assert.Equal(-0.5345813027993365, odds[0], 1e-12);
        Assert.Equal(0.7772704791925489, odds[1], 1e-12);
    }

    [Fact]
    public void TheOddsRatio_StaysFinite_WhenACompletionIsCertain()
    {
        using var scope = NewDisposeScope();
        Tensor certain = tensor(new[] { 0f, -1e-9f, -0.5f }).requires_grad_(), other = tensor(new[] { -3f, -80f, -0.6931472f }).requires_grad_();
        Tensor loss = Loss(PreferenceObjective.OddsRatio).Of(new PairLogProbabilities(certain, other, ones(3), ones(3)));
        loss.sum().backward();

        Assert.All(loss.data<float>().ToArray(), v => Assert.True(float.IsFinite(v)));
        Assert.All(certain.grad!.data<float>().ToArray().Concat(other.grad!.data<float>().ToArray()), v => Assert.True(float.IsFinite(v)));
    }

    [Fact]
    public void TheUnpairedLoss_EqualsItsTable()
    {
        using var scope = NewDisposeScope();
        // β 0.1, z0 0.4, λ_D 1, λ_U 1.5: 1 - σ(0.11), 1 - σ(-0.09), 1.5 (1 - σ(-0.16)), 1.5 (1 - σ(0.34))
        double[] expected = [0.4725276956554063, 0.5224848247918001, 0.8098723268333485, 0.6237142155968889];
        double[] loss = new UnpairedLoss(0.1, 1, 1.5).Of(tensor(new[] { 1.5, -0.5, 2.0, -3.0 }), tensor(new[] { 1.0, 1, 0, 0 }), 0.4).data<double>().ToArray();

        for (int i = 0; i < 4; i++) Assert.Equal(expected[i], loss[i], 1e-12);
        Assert.Equal(0.25, UnpairedLoss.Baseline([1, -0.5, 0.25]), 12);
        Assert.Equal(0, UnpairedLoss.Baseline([-1, 0.5]));
        Assert.Throws<ArgumentException>(() => UnpairedLoss.Baseline([]));
        Assert.Equal(10 / (1.5 * 5), new UnpairedLoss(0.1, 1, 1.5).Balance(10, 5), 12);
    }

    [Fact]
    public void TheRewardLoss_EqualsItsTable()
    {
        using var scope = NewDisposeScope();
        Tensor chosen = tensor(new[] { 1.2, -0.4 }), rejected = tensor(new[] { 0.3, 0.9 });

        Check([0.34115387473208786, 1.5410084538329922], RewardLoss.Of(chosen, rejected)); // ln(1 + e^-0.9), ln(1 + e^1.3)
        Check([0.5130152523999526, 1.952977610526074], RewardLoss.Of(chosen, rejected, margin: 0.5));
        Check([0.5355152523999526, 1.955477610526074], RewardLoss.Of(chosen, rejected, margin: 0.5, centreCoefficient: 0.01)); // + 0.01 · 1.5², + 0.01 · 0.5²
    }

    [Theory]
    [InlineData(1.0, 0.0, 1.5247491278609224, 0.12228178933331416, 1.1780187301230403)]
    [InlineData(2.0, 0.0, 2.15982230525071, 0.12228178933331416, 1.6225699542958916)]
    public void TheDistillationLoss_EqualsItsTable(double temperature, double firstDivergence, double secondDivergence, double firstLoss, double secondLoss)
    {
        using var scope = NewDisposeScope();
        // The first teacher's scores are the student's plus one, which is the same distribution.
        Tensor student = tensor(new[,] { { 1.0, 0, -1 }, { 0.5, 0.5, 2 } }), teacher = tensor(new[,] { { 2.0, 1, 0 }, { 3.0, -1, 0 } });
        var (loss, divergence, crossEntropy) = DistillationLoss.Of(student, teacher, tensor(new long[] { 0, 2 }), temperature, alpha: 0.7);

        Check([firstDivergence, secondDivergence], divergence);
        Check([0.40760596444438046, 0.3689811354013154], crossEntropy);
        Check([firstLoss, secondLoss], loss);
    }

    internal static PreferenceLoss Loss(PreferenceObjective objective) => new(objective, Beta: 0.1, LabelSmoothing: 0.2, Gamma: 0.5);

    internal static PairLogProbabilities Pairs()
        => new(tensor(Chosen), tensor(Rejected), tensor(ChosenTokens), tensor(RejectedTokens), tensor(ReferenceChosen), tensor(ReferenceRejected));

    private static double[] Round(Tensor values) => [.. values.data<double>().ToArray().Select(v => Math.Round(v, 12))];

    private static void Check(double[] expected, Tensor actual)
    {
        double[] values = actual.data<double>().ToArray();
        Assert.Equal(expected.Length, values.Length);
        for (int i = 0; i < values.Length; i++) Assert.Equal(expected[i], values[i], 1e-12);
    }
}
