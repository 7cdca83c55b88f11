using LlmOps.Training.Architectures;
using LlmOps.Training.Optimizers;

namespace LlmOps.Training.Tests.Optimizers;

public sealed class ExponentialAverageTests
{
    public ExponentialAverageTests() => TorchRuntime.Start(2);

    [Fact]
    public void TheAverage_FollowsTheWeightsByItsFormula_AndChangesPlacesWithThem()
    {
        using var parameters = new FlatParameters([new ParameterShape("w", [2], Decays: true)], trainable: true);
        new float[] { 1, -2 }.CopyTo(parameters.ValuesOf("w"));
        var average = new ExponentialAverage(parameters, decay: 0.9);

        // 0.9·1 + 0.1·2 = 1.1, then 0.9·1.1 + 0.1·4 = 1.39; 0.9·-2 + 0.1·0 = -1.8, then 0.9·-1.8 + 0.1·1 = -1.52.
        new float[] { 2, 0 }.CopyTo(parameters.ValuesOf("w"));
        average.Update();
        new float[] { 4, 1 }.CopyTo(parameters.ValuesOf("w"));
        average.Update();
        Assert.Equal(1.39, average.Values[0], 1e-6);
        Assert.Equal(-1.52, average.Values[1], 1e-6);

        average.Swap();
        Assert.Equal(1.39, parameters.ValuesOf("w")[0], 1e-6);
        Assert.Equal([4f, 1f], average.Values[..2]);

        average.Swap();
        Assert.Equal([4f, 1f], parameters.ValuesOf("w").ToArray());
    }
}
