using LlmOps.Engines.SmallModels;

namespace LlmOps.Engines.Tests.SmallModels;

/// <summary>Data from N(0.5, 0.3²): the best prediction of the noise is known, so the samples' distribution is too.</summary>
public sealed class DiffusionSamplerTests
{
    private const double Mean = 0.5, Deviation = 0.3;
    private const int Count = 4000;

    // Four standard errors of the mean are 0.019, and of the deviation 4.5 %; the chain's own error comes on top.
    [Theory]
    [InlineData("linear", 1000, 0, 1.0, 0.02, 0.05)]
    [InlineData("cosine", 200, 0, 1.0, 0.02, 0.06)]
    [InlineData("cosine", 200, 50, 0.0, 0.02, 0.06)]
    public void Samples_HaveTheMeanAndDeviationOfTheData(string name, int chain, int steps, double eta, double meanWithin, double deviationWithin)
    {
        var schedule = NoiseSchedule.Named(name, chain);
        int calls = 0;
        float[] samples = new DiffusionSampler(schedule, steps, eta, Clip: null).Sample((x, t) => { calls++; return Exact(schedule, x, t); }, Count, 1, seed: 3, ct: TestContext.Current.CancellationToken);

        double mean = samples.Average(s => (double)s), deviation = Math.Sqrt(samples.Average(s => Math.Pow(s - mean, 2)));
        Assert.Equal(steps == 0 ? chain : steps, calls);
        Assert.InRange(mean, Mean - meanWithin, Mean + meanWithin);
        Assert.InRange(deviation, Deviation * (1 - deviationWithin), Deviation * (1 + deviationWithin));
        // A normal sample's share within one deviation.
        Assert.InRange(samples.Count(s => Math.Abs(s - mean) < deviation) / (double)Count, 0.65, 0.715);
    }

    // For normal data every DDIM step is linear in x, so the deviation after it is that before times its slope: few steps end too narrow, by a known amount.
    [Theory]
    [InlineData(25, 0.2488)]
    [InlineData(100, 0.2863)]
    public void FewSteps_ShrinkTheDeviationByTheirFormulasAmount(int steps, double deviation)
    {
        var schedule = NoiseSchedule.Linear(1000);
        float[] samples = new DiffusionSampler(schedule, steps, Eta: 0, Clip: null).Sample((x, t) => Exact(schedule, x, t), Count, 1, seed: 3, ct: TestContext.Current.CancellationToken);

        double mean = samples.Average(s => (double)s);
        Assert.InRange(Math.Sqrt(samples.Average(s => Math.Pow(s - mean, 2))), deviation * 0.955, deviation * 1.045);
    }

    [Fact]
    public void OneStepOfTheChain_EqualsThePosteriorWorkedOutByHand()
    {
        // q(x_{t−1} | x_t, x_0) has mean √ᾱ_{t−1} β_t / (1−ᾱ_t) x_0 + √α_t (1−ᾱ_{t−1}) / (1−ᾱ_t) x_t and variance (1−ᾱ_{t−1}) / (1−ᾱ_t) β_t.
        var schedule = NoiseSchedule.Linear(100);
        const int t = 60;
        var states = new Dictionary<int, float[]>();
        new DiffusionSampler(schedule, Clip: null).Sample((x, at) => Exact(schedule, x, at), 1, 1, seed: 8, (at, x) => states[at] = x, TestContext.Current.CancellationToken);
        double x = states[t + 1][0], epsilon = Exact(schedule, [(float)x], t)[0], beta = schedule.Betas[t], bar = schedule.AlphaBars[t], before = schedule.AlphaBars[t - 1];
        double image = (x - Math.Sqrt(1 - bar) * epsilon) / Math.Sqrt(bar);
        double mean = Math.Sqrt(before) * beta / (1 - bar) * image + Math.Sqrt(1 - beta) * (1 - before) / (1 - bar) * x;
        double noise = new CounterRandom(8, t, 0).NextGaussian();

        Assert.Equal(mean + Math.Sqrt((1 - before) / (1 - bar) * beta) * (float)noise, states[t][0], 1e-5);
    }

    [Fact]
    public void SampleI_IsTheSame_HoweverManyAreDrawn()
    {
        var schedule = NoiseSchedule.Cosine(50);
        float[] few = new DiffusionSampler(schedule).Sample((x, t) => Exact(schedule, x, t), 2, 3, seed: 1, ct: TestContext.Current.CancellationToken);
        float[] many = new DiffusionSampler(schedule).Sample((x, t) => Exact(schedule, x, t), 5, 3, seed: 1, ct: TestContext.Current.CancellationToken);

        Assert.Equal(few, many[..6]);
        Assert.NotEqual(few, new DiffusionSampler(schedule).Sample((x, t) => Exact(schedule, x, t), 2, 3, seed: 2, ct: TestContext.Current.CancellationToken));
    }

    [Fact]
    public void FewSteps_VisitTheChainEvenly_FromItsNoisiestStep()
    {
        Assert.Equal([99, 74, 49, 24], new DiffusionSampler(NoiseSchedule.Linear(100)).Times(4));
        Assert.Equal([.. Enumerable.Range(0, 30).Reverse()], new DiffusionSampler(NoiseSchedule.Linear(30)).Times(30));
    }

    [Fact]
    public void MoreStepsThanTheScheduleHas_AreRefused()
        => Assert.Contains("has 30", Assert.Throws<ArgumentException>(() => new DiffusionSampler(NoiseSchedule.Linear(30), 31).Sample((x, _) => x, 1, 1, 0)).Message, StringComparison.Ordinal);

    // E[ε | x_t] for x_t = √ᾱ x_0 + √(1−ᾱ) ε with normal x_0.
    private static float[] Exact(NoiseSchedule schedule, float[] x, int t)
    {
        double a = schedule.Signal(t), b = schedule.Noise(t);
        return Array.ConvertAll(x, v => (float)(b * (v - a * Mean) / (a * a * Deviation * Deviation + b * b)));
    }
}
