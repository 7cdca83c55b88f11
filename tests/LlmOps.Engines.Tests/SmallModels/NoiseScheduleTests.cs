using LlmOps.Engines.SmallModels;

namespace LlmOps.Engines.Tests.SmallModels;

public sealed class NoiseScheduleTests
{
    // β_t, ᾱ_t, √ᾱ_t and √(1−ᾱ_t) from the papers' formulas in another language.
    [Theory]
    [InlineData("linear", 1000, 0, 0.0001, 0.9999, 0.9999499987, 0.01)]
    [InlineData("linear", 1000, 1, 0.0001199199199, 0.9997800921, 0.99989004, 0.0148292929)]
    [InlineData("linear", 1000, 99, 0.002072072072, 0.8970181457, 0.9471104189, 0.3209078596)]
    [InlineData("linear", 1000, 499, 0.01004004004, 0.07858724288, 0.2803341629, 0.9599024727)]
    [InlineData("linear", 1000, 999, 0.02, 4.035829765e-05, 0.006352818088, 0.9999798206)]
    [InlineData("linear", 100, 9, 0.01909090909, 0.9038131959, 0.9506909045, 0.310139975)]
    [InlineData("linear", 100, 99, 0.2, 2.039008976e-05, 0.0045155387, 0.9999898049)]
    public void Coefficients_EqualTheTable(string name, int steps, int t, double beta, double alphaBar, double signal, double noise)
    {
        var schedule = NoiseSchedule.Named(name, steps);

        Assert.Equal(beta, schedule.Betas[t], 1e-12);
        Assert.Equal(alphaBar, schedule.AlphaBars[t], 1e-10);
        Assert.Equal(signal, schedule.Signal(t), 1e-9);
        Assert.Equal(noise, schedule.Noise(t), 1e-9);
    }

    [Theory]
    [InlineData(1000, 0, 0.9999587158)]
    [InlineData(1000, 99, 0.9720927371)]
    [InlineData(1000, 499, 0.4938435904)]
    [InlineData(1000, 999, 2.428766907e-09)]
    [InlineData(200, 0, 0.9997450274)]
    [InlineData(200, 197, 0.0002428572279)]
    public void CosineSchedule_FollowsTheSquaredCosine(int steps, int t, double alphaBar)
        => Assert.Equal(alphaBar, NoiseSchedule.Cosine(steps).AlphaBars[t], 1e-9 * alphaBar + 1e-13 + 1e-10);

    [Fact]
    public void UnknownOrTooShortSchedules_AreRefused()
    {
        Assert.Contains("linear or cosine", Assert.Throws<ArgumentException>(() => NoiseSchedule.Named("sigmoid", 100)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => NoiseSchedule.Linear(24));
    }
}
