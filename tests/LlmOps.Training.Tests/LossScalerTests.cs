namespace LlmOps.Training.Tests;

public sealed class LossScalerTests
{
    [Fact]
    public void AStepOutOfRange_IsPassedOver_AndHalvesTheFactor()
    {
        var scaler = new LossScaler();
        Assert.Equal(65_536, scaler.Scale);
        Assert.True(scaler.Took(3));
        Assert.False(scaler.Took(double.PositiveInfinity));
        Assert.Equal(new LossScale(32_768, 0), scaler.State);
        Assert.False(scaler.Took(double.NaN));
        Assert.Equal(new LossScale(16_384, 0), scaler.State);
    }

    [Fact]
    public void TwoThousandGoodSteps_DoubleTheFactor()
    {
        var scaler = new LossScaler();
        for (int i = 0; i < 1_999; i++) Assert.True(scaler.Took(1));
        Assert.Equal(new LossScale(65_536, 1_999), scaler.State);
        Assert.True(scaler.Took(1));
        Assert.Equal(new LossScale(131_072, 0), scaler.State);
    }

    [Fact]
    public void ABadStep_BeginsTheCountAnew()
    {
        var scaler = new LossScaler();
        for (int i = 0; i < 1_999; i++) scaler.Took(1);
        scaler.Took(double.NaN);
        Assert.True(scaler.Took(1));
        Assert.Equal(new LossScale(32_768, 1), scaler.State);
    }

    [Fact]
    public void AFactorThatHelpsNoMore_EndsTheTraining_AsDiverged()
    {
        var scaler = new LossScaler();
        // 2^16 … 2^-9 are 26 factors to halve from; at 2^-10 it ends.
        for (int i = 0; i < 26; i++) Assert.False(scaler.Took(double.NaN));
        var e = Assert.Throws<TrainingFailedException>(() => scaler.Took(double.NaN));
        Assert.Equal(TrainingVerdict.Diverged, e.Verdict);
    }

    [Fact]
    public void AResumedScaler_GoesOnWhereItStood()
    {
        var scaler = new LossScaler();
        scaler.Restore(new LossScale(8, 1_999));
        scaler.Took(1);
        Assert.Equal(new LossScale(16, 0), scaler.State);
    }
}
