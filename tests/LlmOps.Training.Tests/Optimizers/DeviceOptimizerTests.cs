using LlmOps.Training.Architectures;
using LlmOps.Training.Optimizers;

namespace LlmOps.Training.Tests.Optimizers;

/// <summary>The rules for parameters on a GPU, computed here by the same operations on the processor, against the processor's own rules.</summary>
public sealed class DeviceOptimizerTests
{
    public DeviceOptimizerTests() => TorchRuntime.Start(2);

    public static TheoryData<OptimizerOptions> Rules =>
    [
        new OptimizerOptions { WeightDecay = 0.1, L1 = 0.01 },
        new OptimizerOptions(OptimizerKind.Adam) { WeightDecay = 0.1 },
        new OptimizerOptions(OptimizerKind.Sgd) { WeightDecay = 0.1, L1 = 0.02 },
        new OptimizerOptions(OptimizerKind.Sgd) { Momentum = 0.9, Nesterov = true },
        new OptimizerOptions(OptimizerKind.Sgd) { Momentum = 0.9 },
        new OptimizerOptions(OptimizerKind.RmsProp) { Beta2 = 0.99 },
        new OptimizerOptions(OptimizerKind.RmsProp) { Beta2 = 0.99, Momentum = 0.5, WeightDecay = 0.1 },
        new OptimizerOptions(OptimizerKind.Lion) { WeightDecay = 0.2 },
    ];

    [Theory]
    [MemberData(nameof(Rules))]
    public void FiveSteps_EqualTheProcessorsRule_AndSoDoesItsState(OptimizerOptions options)
    {
        using FlatParameters expected = Parameters(), computed = Parameters();
        Optimizer host = Optimizer.Create(options, expected);
        using var device = new DeviceOptimizer(computed, options);
        for (int step = 1; step <= 5; step++)
        {
            if (step == 4)
            {
                // As after a restart: the state is read from the device, and put back.
                device.FetchState();
                device.PutState();
            }
            FillGradients(expected, step);
            FillGradients(computed, step);
            host.Step(step, 0.01 * step, 0.7);
            device.Step(step, 0.01 * step, 0.7);
        }
        device.FetchState();
        Near(expected.Values, computed.Values);
        Assert.Equal(host.State.Select(s => s.Name), device.State.Select(s => s.Name));
        foreach (var ((_, a), (_, b)) in host.State.Zip(device.State)) Near(a, b);
    }

    [Fact]
    public void Adafactor_IsRefused()
    {
        using FlatParameters parameters = Parameters();
        Assert.Contains("on the processor only", Assert.Throws<ArgumentException>(() => new DeviceOptimizer(parameters, new OptimizerOptions(OptimizerKind.Adafactor))).Message, StringComparison.Ordinal);
    }

    private static FlatParameters Parameters()
    {
        var parameters = new FlatParameters([new ParameterShape("matrix", [5, 7], Decays: true), new ParameterShape("scale", [9], Decays: false)], trainable: true);
        Fill(parameters.ValuesOf("matrix"), 100);
        Fill(parameters.ValuesOf("scale"), 200);
        return parameters;
    }

    // Padding between parameters never has a gradient.
    private static void FillGradients(FlatParameters parameters, int seed)
    {
        for (int i = 0; i < parameters.Shapes.Count; i++) Fill(parameters.Gradients.Slice(parameters.Offsets[i], parameters.Shapes[i].Count), seed + i);
    }

    private static void Fill(Span<float> values, int seed)
    {
        var random = new Random(seed);
        for (int i = 0; i < values.Length; i++) values[i] = (float)(random.NextDouble() - 0.5);
    }

    private static void Near(ReadOnlySpan<float> expected, ReadOnlySpan<float> computed)
    {
        Assert.Equal(expected.Length, computed.Length);
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], computed[i], 2e-6f * Math.Max(1, Math.Abs(expected[i])));
    }
}
