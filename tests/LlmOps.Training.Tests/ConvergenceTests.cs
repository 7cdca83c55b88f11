namespace LlmOps.Training.Tests;

public sealed class ConvergenceTests
{
    [Fact]
    public void Judge_SaysConverged_WhenTheLastQuarterBringsNextToNothing()
    {
        // 2 + 3·e^(-t/12) over 100 steps: three quarters of the way the gain is all but over, at half of it still some is left.
        var (verdict, text) = Convergence.Judge(Curve(100, t => 2 + 3 * Math.Exp(-t / 12.0)), []);

        Assert.Equal(TrainingVerdict.Converged, verdict);
        Assert.Contains("training loss", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Judge_SaysStillImproving_WhenTheCurveIsALine()
    {
        var (verdict, text) = Convergence.Judge(Curve(100, t => 5 - 0.02 * t), []);

        Assert.Equal(TrainingVerdict.StillImproving, verdict);
        // The mean of the third quarter is 0.5 above that of the last, of 1.89 gained since the mean of the first tenth.
        Assert.Contains("26", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Judge_SaysPlateau_WhenTheSecondHalfIsFlat_AndWhenNothingEverMoved()
    {
        Assert.Equal(TrainingVerdict.Plateau, Convergence.Judge(Curve(200, t => t < 20 ? 5 - 0.1 * t : 3), []).Verdict);
        var (verdict, text) = Convergence.Judge(Curve(200, t => 3 + 0.001 * Math.Sin(t)), []);
        Assert.Equal(TrainingVerdict.Plateau, verdict);
        Assert.Contains("hardly moved", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Judge_SaysOverfitting_AndSinceWhen_WhenHeldOutRisesWhileTrainingFalls()
    {
        var (verdict, text) = Convergence.Judge(Curve(100, t => 5 - 0.04 * t), [(10, 4.6), (20, 4.2), (40, 4.0), (60, 4.1), (100, 4.6)]);

        Assert.Equal(TrainingVerdict.Overfitting, verdict);
        Assert.Contains("after step 40 (4)", text, StringComparison.Ordinal);
        Assert.Contains("rose to 4.6", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Judge_DoesNotSayOverfitting_WhenTrainingRisesAsWell()
        => Assert.NotEqual(TrainingVerdict.Overfitting, Convergence.Judge(Curve(100, t => t < 40 ? 5 - 0.04 * t : 3.4 + 0.02 * (t - 40)), [(10, 4.6), (20, 4.2), (40, 4.0), (60, 4.1), (100, 4.6)]).Verdict);

    [Fact]
    public void Judge_SaysThatItCannotTell_AfterAFewSteps()
        => Assert.Equal(TrainingVerdict.CannotTell, Convergence.Judge(Curve(8, t => 5 - t), [(4, 3), (8, 2)]).Verdict);

    [Fact]
    public void History_KeepsMeansOfWindows_HoweverLongTheRun()
    {
        LossHistory history = LossHistory.Empty;
        for (int i = 0; i < 1000; i++) history = history.With(i);

        // Doubled at 256 and at 512 steps: windows of 4 steps, 250 of them.
        Assert.Equal((4, 250, 0), (history.Window, history.Means.Count, history.Count));
        Assert.Equal(1.5, history.Means[0], 12);
        Assert.Equal(997.5, history.Means[^1], 12);
    }

    [Fact]
    public void Judge_SaysStuckAtLn2_WhenAPreferenceLossNeverLeavesIt()
    {
        double ln2 = Math.Log(2);
        LossHistory flat = Curve(6, t => ln2 + 1e-5 * Math.Sin(t));

        var (verdict, text) = Convergence.Judge(flat, [(3, ln2), (6, ln2 - 1e-4)], ln2);

        Assert.Equal(TrainingVerdict.StuckAtLn2, verdict);
        Assert.Contains("the loss is ln 2", text, StringComparison.Ordinal);
        Assert.Contains("Raise the learning rate", text, StringComparison.Ordinal);
        // One loss that leaves it, of whichever rows, is a sign that something is learnt; so are objectives that begin elsewhere.
        Assert.Equal(TrainingVerdict.CannotTell, Convergence.Judge(Curve(6, t => ln2 - 0.0002 * t), [], ln2).Verdict);
        Assert.Equal(TrainingVerdict.CannotTell, Convergence.Judge(flat, [(3, ln2), (6, ln2 - 0.001)], ln2).Verdict);
        Assert.Equal(TrainingVerdict.CannotTell, Convergence.Judge(flat, []).Verdict);
        Assert.Equal(TrainingVerdict.CannotTell, Convergence.Judge(Curve(3, _ => ln2), [], ln2).Verdict);
        Assert.Equal(TrainingVerdict.Plateau, Convergence.Judge(Curve(6, _ => 1), [], 1).Verdict);
    }

    private static LossHistory Curve(int steps, Func<int, double> loss)
    {
        LossHistory history = LossHistory.Empty;
        for (int t = 0; t < steps; t++) history = history.With(loss(t));
        return history;
    }
}
