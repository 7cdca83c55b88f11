using LlmOps.Training.Objectives;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Tests.Objectives;

/// <summary>Gradients in float64 against central differences of the same function.</summary>
public sealed class LossGradientTests
{
    private const double Step = 1e-6;

    public LossGradientTests() => TorchRuntime.Start(2);

    [Theory]
    [InlineData(PreferenceObjective.Sigmoid)]
    [InlineData(PreferenceObjective.ConservativeSigmoid)]
    [InlineData(PreferenceObjective.Hinge)]
    [InlineData(PreferenceObjective.Identity)]
    [InlineData(PreferenceObjective.Robust)]
    [InlineData(PreferenceObjective.AnchoredZero)]
    [InlineData(PreferenceObjective.SelfPlayHard)]
    [InlineData(PreferenceObjective.NormalizedSigmoid)]
    [InlineData(PreferenceObjective.OddsRatio)]
    [InlineData(PreferenceObjective.Contrastive)]
    [InlineData(PreferenceObjective.Simple)]
    public void EveryPreferenceLoss_HasItsGradient(PreferenceObjective objective)
        => Compare([.. LossTableTests.Chosen, .. LossTableTests.Rejected], x => LossTableTests.Loss(objective)
            .Of(LossTableTests.Pairs() with { Chosen = x.narrow(0, 0, 2), Rejected = x.narrow(0, 2, 2) }).sum());

    [Fact]
    public void TheOddsRatio_HasItsGradient_OnBothBranchesOfTheLogarithm() // means on both sides of -ln 2
        => Compare([-0.4, -6, -0.9, -0.02], x => LossTableTests.Loss(PreferenceObjective.OddsRatio)
            .Of(new PairLogProbabilities(x.narrow(0, 0, 2), x.narrow(0, 2, 2), ones(2, ScalarType.Float64), ones(2, ScalarType.Float64))).sum());

    [Fact]
    public void TheUnpairedLoss_HasItsGradient()
        => Compare([1.5, -0.5, 2, -3], x => new UnpairedLoss(0.7, 1, 1.5).Of(x, tensor(new[] { 1.0, 1, 0, 0 }), 0.4).sum());

    [Fact]
    public void TheRewardLoss_HasItsGradient()
        => Compare([1.2, -0.4, 0.3, 0.9], x => RewardLoss.Of(x.narrow(0, 0, 2), x.narrow(0, 2, 2), margin: 0.5, centreCoefficient: 0.3).sum());

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void TheDistillationLoss_HasItsGradient_InTheStudentOnly(double temperature)
    {
        using var scope = NewDisposeScope();
        Tensor teacher = tensor(new[,] { { 2.0, 1, 0 }, { 3.0, -1, 0 } }).requires_grad_();
        Compare([1, 0, -1, 0.5, 0.5, 2], x => DistillationLoss.Of(x.view(2, 3), teacher, tensor(new long[] { 0, 2 }), temperature, 0.7).Loss.sum());

        Assert.True(teacher.grad is null);
    }

    private static void Compare(double[] at, Func<Tensor, Tensor> function)
    {
        using var scope = NewDisposeScope();
        Tensor x = tensor(at).requires_grad_();
        function(x).backward();
        double[] gradient = x.grad!.data<double>().ToArray();
        Assert.Contains(gradient, g => Math.Abs(g) > 1e-3);
        for (int i = 0; i < at.Length; i++)
        {
            double difference = (Value(at, i, Step, function) - Value(at, i, -Step, function)) / (2 * Step);
            Assert.Equal(difference, gradient[i], 1e-8 * Math.Max(1, Math.Abs(difference)));
        }
    }

    private static double Value(double[] at, int index, double shift, Func<Tensor, Tensor> function)
    {
        double[] moved = [.. at];
        moved[index] += shift;
        return function(tensor(moved)).item<double>();
    }
}
