using LlmOps.Training.Architectures;
using LlmOps.Training.Optimizers;
using TorchSharp;

namespace LlmOps.Training.Tests.Optimizers;

public sealed class OptimizerTests
{
    public OptimizerTests() => TorchRuntime.Start(2);

    public static TheoryData<OptimizerOptions> LibraryRules =>
    [
        new OptimizerOptions(OptimizerKind.AdamW) { WeightDecay = 0.1 },
        new OptimizerOptions(OptimizerKind.Adam) { WeightDecay = 0.1 },
        new OptimizerOptions(OptimizerKind.Sgd) { WeightDecay = 0.1 },
        new OptimizerOptions(OptimizerKind.Sgd) { WeightDecay = 0.1, Momentum = 0.9 },
        new OptimizerOptions(OptimizerKind.Sgd) { WeightDecay = 0.1, Momentum = 0.9, Nesterov = true },
        new OptimizerOptions(OptimizerKind.RmsProp) { WeightDecay = 0.1 },
        new OptimizerOptions(OptimizerKind.RmsProp) { WeightDecay = 0.1, Momentum = 0.9 },
    ];

    public static TheoryData<OptimizerKind> Kinds => [.. Enum.GetValues<OptimizerKind>()];

    [Theory]
    [MemberData(nameof(LibraryRules))]
    public void ARule_EqualsTheLibrarys(OptimizerOptions options)
    {
        using var scope = torch.NewDisposeScope();
        using var parameters = new FlatParameters([new ParameterShape("w", [7, 5], Decays: true)], trainable: true);
        var random = new Random(5);
        foreach (ref float value in parameters.ValuesOf("w")) value = random.NextSingle() - 0.5f;
        var reference = new TorchSharp.Modules.Parameter(parameters["w"].detach().clone());
        torch.optim.Optimizer library = options.Kind switch
        {
            OptimizerKind.AdamW => torch.optim.AdamW([reference], lr: 0.01, beta1: options.Beta1, beta2: options.Beta2, eps: options.Epsilon, weight_decay: options.WeightDecay),
            OptimizerKind.Adam => torch.optim.Adam([reference], lr: 0.01, beta1: options.Beta1, beta2: options.Beta2, eps: options.Epsilon, weight_decay: options.WeightDecay),
            OptimizerKind.Sgd => torch.optim.SGD([reference], 0.01, momentum: options.Momentum, weight_decay: options.WeightDecay, nesterov: options.Nesterov),
            _ => torch.optim.RMSProp([reference], lr: 0.01, alpha: options.Beta2, eps: options.Epsilon, weight_decay: options.WeightDecay, momentum: options.Momentum),
        };
        Optimizer ours = Optimizer.Create(options, parameters);

        for (int step = 1; step <= 5; step++)
        {
            float[] gradient = [.. Enumerable.Range(0, 35).Select(_ => random.NextSingle() - 0.5f)];
            gradient.CopyTo(parameters.Gradients);
            reference.grad = torch.tensor(gradient, [7, 5]);
            library.step();
            ours.Step(step, 0.01, 1);
        }

        Assert.True((parameters["w"] - reference).abs().max().item<float>() < 1e-6);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void WeightsAfterThreeSteps_AreEqualToTheBit_OnOneThreadAndOnTwo(OptimizerKind kind)
    {
        float[] one = AfterThreeSteps(kind, threads: 1), two = AfterThreeSteps(kind, threads: 2);
        TorchRuntime.Start(2);

        Assert.All(one, value => Assert.True(float.IsFinite(value)));
        Assert.Equal(one, two);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void DecayAndPenalty_ShrinkMatrices_AndLeaveNormsAndBiasesAlone(OptimizerKind kind)
    {
        using var parameters = new FlatParameters([new ParameterShape("w", [4, 4], Decays: true), new ParameterShape("norm", [4], Decays: false)], trainable: true);
        parameters.ValuesOf("w").Fill(2);
        parameters.ValuesOf("norm").Fill(2);
        Optimizer optimizer = Optimizer.Create(new OptimizerOptions(kind) { WeightDecay = 0.1, L1 = 0.01 }, parameters);

        optimizer.Step(1, 0.1, 1);

        Assert.All(parameters.ValuesOf("w").ToArray(), value => Assert.InRange(value, 0, 1.999f));
        Assert.All(parameters.ValuesOf("norm").ToArray(), value => Assert.Equal(2, value));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void AnOptimizerWithARestoredState_GoesOnAsTheFirstWould(OptimizerKind kind)
    {
        var options = new OptimizerOptions(kind) { Momentum = 0.9 };
        using FlatParameters first = Matrix(64), second = Matrix(64);
        Optimizer original = Optimizer.Create(options, first);
        Train(original, first, from: 1, to: 3);
        Optimizer restored = Optimizer.Create(options, second);
        first.Values.CopyTo(second.Values);
        foreach (var (buffer, stored) in restored.State.Zip(original.State)) stored.Values.CopyTo(buffer.Values, 0);

        Train(original, first, from: 4, to: 6);
        Train(restored, second, from: 4, to: 6);

        Assert.Equal(first.Values.ToArray(), second.Values.ToArray());
    }

    [Fact]
    public void Adafactor_RemembersRowsAndColumnsOnly()
    {
        using FlatParameters parameters = Matrix(300);

        Assert.Equal(300 + 200, Optimizer.Create(new OptimizerOptions(OptimizerKind.Adafactor), parameters).State.Sum(s => s.Values.Length));
    }

    [Theory]
    [InlineData(1.0, 0.95, 1e-8, "Beta1 is 1; it must be at least 0 and below 1.")]
    [InlineData(0.9, -0.1, 1e-8, "Beta2 is -0.1; it must be at least 0 and below 1.")]
    [InlineData(0.9, 0.95, 0.0, "Epsilon is 0; it must be above 0.")]
    public void AConstantOutOfRange_IsNamed(double beta1, double beta2, double epsilon, string message)
    {
        using FlatParameters parameters = Matrix(2);
        var options = new OptimizerOptions { Beta1 = beta1, Beta2 = beta2, Epsilon = epsilon };

        Assert.Equal(message, Assert.Throws<ArgumentException>(() => Optimizer.Create(options, parameters)).Message);
    }

    private static float[] AfterThreeSteps(OptimizerKind kind, int threads)
    {
        TorchRuntime.Start(threads);
        // More values than one block or part holds.
        using FlatParameters parameters = Matrix(700);
        Train(Optimizer.Create(new OptimizerOptions(kind) { WeightDecay = 0.1, L1 = 0.001, Momentum = 0.9 }, parameters), parameters, 1, 3);
        return parameters.Values.ToArray();
    }

    private static FlatParameters Matrix(int rows)
    {
        var parameters = new FlatParameters([new ParameterShape("w", [rows, 200], Decays: true)], trainable: true);
        var random = new Random(3);
        foreach (ref float value in parameters.Values) value = random.NextSingle() - 0.5f;
        return parameters;
    }

    private static void Train(Optimizer optimizer, FlatParameters parameters, int from, int to)
    {
        for (int step = from; step <= to; step++)
        {
            var random = new Random(100 + step);
            foreach (ref float value in parameters.Gradients) value = random.NextSingle() - 0.5f;
            optimizer.Step(step, 0.01, 0.7);
        }
    }
}
