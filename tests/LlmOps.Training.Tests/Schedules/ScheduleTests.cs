using LlmOps.Training.Schedules;

namespace LlmOps.Training.Tests.Schedules;

/// <summary>Factors worked out by hand from the formulas; warm-up takes the first tenth, so x = (p - 0.1) / 0.9.</summary>
public sealed class ScheduleTests
{
    [Theory]
    [InlineData(ScheduleKind.Cosine)]
    [InlineData(ScheduleKind.Linear)]
    [InlineData(ScheduleKind.Constant)]
    [InlineData(ScheduleKind.Wsd)]
    [InlineData(ScheduleKind.InverseSquareRoot)]
    [InlineData(ScheduleKind.Polynomial)]
    [InlineData(ScheduleKind.CosineRestarts)]
    [InlineData(ScheduleKind.Plateau)]
    public void EveryShape_RisesInAStraightLineToOne(ScheduleKind kind)
    {
        ScheduleOptions schedule = new(kind) { WarmupFraction = 0.1 };

        Assert.Equal(0, schedule.At(0));
        Assert.Equal(0.5, schedule.At(0.05), 12);
        Assert.Equal(1, schedule.At(0.1), 12);
    }

    [Theory]
    [InlineData(0.325, 0.868198051534)] // x = 1/4: 0.1 + 0.45·(1 + cos 45°)
    [InlineData(0.55, 0.55)]
    [InlineData(0.7, 0.325)] // x = 2/3: 0.1 + 0.45·(1 + cos 120°)
    [InlineData(1.0, 0.1)]
    [InlineData(1.5, 0.1)]
    public void Cosine_ComesDownToTheFinalFraction(double progress, double expected)
        => Assert.Equal(expected, new ScheduleOptions { WarmupFraction = 0.1, FinalFraction = 0.1 }.At(progress), 10);

    [Theory]
    [InlineData(0.55, 0.5)]
    [InlineData(0.775, 0.25)]
    [InlineData(1.0, 0.0)]
    public void Linear_IsTheShareOfStepsLeft(double progress, double expected)
        => Assert.Equal(expected, new ScheduleOptions(ScheduleKind.Linear) { WarmupFraction = 0.1, FinalFraction = 0 }.At(progress), 12);

    [Theory]
    [InlineData(0.8, 1.0)]
    [InlineData(0.9, 0.525)] // half of the decay done: 0.05 + 0.95/2
    [InlineData(1.0, 0.05)]
    public void Wsd_IsStableUntilTheDecayBegins(double progress, double expected)
        => Assert.Equal(expected, new ScheduleOptions(ScheduleKind.Wsd) { WarmupFraction = 0.1, DecayFraction = 0.2 }.At(progress), 12);

    [Theory]
    [InlineData(0.4, 0.5)] // 1/√4 at four times the warm-up
    [InlineData(0.9, 0.333333333333)]
    public void InverseSquareRoot_HalvesWithEachFourfold(double progress, double expected)
        => Assert.Equal(expected, new ScheduleOptions(ScheduleKind.InverseSquareRoot) { WarmupFraction = 0.1 }.At(progress), 10);

    [Theory]
    [InlineData(0.55, 0.25)] // (1/2)²
    [InlineData(0.775, 0.0625)]
    [InlineData(1.0, 0.0)]
    public void Polynomial_TakesItsPower(double progress, double expected)
        => Assert.Equal(expected, new ScheduleOptions(ScheduleKind.Polynomial) { WarmupFraction = 0.1, FinalFraction = 0, Power = 2 }.At(progress), 12);

    [Theory]
    [InlineData(0.25, 0.5)] // half of the first of two cycles
    [InlineData(0.5, 1.0)] // begins again
    [InlineData(0.75, 0.5)]
    [InlineData(1.0, 0.0)]
    public void CosineRestarts_BeginAgainAtOne(double progress, double expected)
        => Assert.Equal(expected, new ScheduleOptions(ScheduleKind.CosineRestarts) { WarmupFraction = 0, FinalFraction = 0, Cycles = 2 }.At(progress), 12);

    [Fact]
    public void Constant_StaysAtOne() => Assert.Equal(1, new ScheduleOptions(ScheduleKind.Constant).At(0.99));

    [Theory]
    [InlineData(new[] { 3.0, 2.0, 1.0 }, 1.0)]
    [InlineData(new[] { 3.0, 2.0, 2.0 }, 1.0)] // one without improvement
    [InlineData(new[] { 3.0, 2.0, 2.5, 2.1 }, 0.5)]
    [InlineData(new[] { 3.0, 2.0, 2.5, 2.1, 1.9, 2.0 }, 0.5)]
    [InlineData(new[] { 3.0, 2.0, 2.5, 2.1, 2.2, 2.3 }, 0.25)]
    [InlineData(new[] { 2.0, 1.99999, 1.99998 }, 0.5)] // less than a ten-thousandth is no improvement
    public void Plateau_IsCutByHalf_AfterTwoEvaluationsWithoutImprovement(double[] heldOut, double expected)
        => Assert.Equal(expected, new ScheduleOptions(ScheduleKind.Plateau).At(0.5, heldOut), 12);
}
