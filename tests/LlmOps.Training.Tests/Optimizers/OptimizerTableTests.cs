using LlmOps.Training.Architectures;
using LlmOps.Training.Optimizers;

namespace LlmOps.Training.Tests.Optimizers;

/// <summary>Every rule against numbers that were computed in double from the formulas of its paper: η = 0.1 throughout.</summary>
public sealed class OptimizerTableTests
{
    public OptimizerTableTests() => TorchRuntime.Start(2);

    public static TheoryData<OptimizerOptions, double[]> Rules => new()
    {
        { new OptimizerOptions(OptimizerKind.AdamW) { WeightDecay = 0.01 }, [0.899000002, 0.934438397, 0.892275354, 0.851111271] },
        { new OptimizerOptions(OptimizerKind.Adam) { WeightDecay = 0.01 }, [0.900000002, 0.935266984, 0.893457726, 0.852518482] },
        { new OptimizerOptions(OptimizerKind.AdamW) { L1 = 0.02 }, [0.900000002, 0.934106601, 0.891643501, 0.849931428] },
        { new OptimizerOptions(OptimizerKind.Sgd) { WeightDecay = 0.01, L1 = 0.02 }, [0.947, 1.044053, 0.841008947, 0.813167938] },
        { new OptimizerOptions(OptimizerKind.Sgd) { WeightDecay = 0.01, Momentum = 0.9 }, [0.949, 1.002151, 0.848984749, 0.685286138] },
        { new OptimizerOptions(OptimizerKind.Sgd) { WeightDecay = 0.01, Momentum = 0.9, Nesterov = true }, [0.9031, 1.05007411, 0.711168458, 0.538247218] },
        { new OptimizerOptions(OptimizerKind.RmsProp) { WeightDecay = 0.01 }, [0.552786444, 0.952810488, 0.559181287, 0.508150487] },
        { new OptimizerOptions(OptimizerKind.RmsProp) { WeightDecay = 0.01, Momentum = 0.9 }, [0.552786444, 0.550318288, 0.154645773, -0.251769941] },
        { new OptimizerOptions(OptimizerKind.Lion) { WeightDecay = 0.01 }, [0.899, 0.998101, 0.897102899, 0.796205796] },
    };

    [Theory]
    [MemberData(nameof(Rules))]
    public void AWeightOfOne_GoesWhereTheFormulaSendsIt(OptimizerOptions options, double[] expected)
    {
        using var parameters = new FlatParameters([new ParameterShape("w", [1, 1], Decays: true)], trainable: true);
        parameters.ValuesOf("w")[0] = 1;
        Optimizer optimizer = Optimizer.Create(options, parameters);
        float[] gradients = [0.5f, -1, 2, 0.25f];

        for (int step = 1; step <= 4; step++)
        {
            // Half the gradient with twice the scale: clipping's factor reaches every rule.
            parameters.Gradients[0] = gradients[step - 1] / 2;
            optimizer.Step(step, 0.1, gradientScale: 2);
            Assert.Equal(expected[step - 1], parameters.Values[0], 1e-6);
        }
    }

    [Fact]
    public void Adafactor_MovesAMatrixByItsFactoredMoments_AndAVectorByItsOwn()
    {
        using var parameters = new FlatParameters([new ParameterShape("w", [2, 3], Decays: true), new ParameterShape("b", [2], Decays: false)], trainable: true);
        new float[] { 1, -1, 0.5f, 0.25f, 2, -0.75f }.CopyTo(parameters.ValuesOf("w"));
        new float[] { 1, -2 }.CopyTo(parameters.ValuesOf("b"));
        Optimizer optimizer = Optimizer.Create(new OptimizerOptions(OptimizerKind.Adafactor) { WeightDecay = 0.01 }, parameters);
        float[][] matrix = [[0.5f, -1, 2, 0.1f, 0.2f, -0.3f], [-0.4f, 0.6f, 0, 1, -2, 0.5f], [0.3f, 0.3f, 0.3f, -0.2f, 0.1f, 0.7f]];
        float[][] vector = [[0.5f, -0.1f], [1, 0.2f], [-0.3f, 0.4f]];
        double[][] expected =
        [
            [0.9055822031, -0.9055822031, 0.4052861758, 0.1353370323, 1.8835870323, -0.6627090765],
            [0.9721980283, -0.9566811379, 0.4048808896, -0.0180163883, 2.0390467777, -0.7112354365],
            [0.9078397435, -0.9897427242, 0.3654781663, 0.0195122208, 2.0269420726, -0.7912976470],
        ];
        double[][] expectedVector = [[0.9, -1.9], [0.8, -2.0], [0.8438546415, -2.1344498807]];

        for (int step = 1; step <= 3; step++)
        {
            matrix[step - 1].CopyTo(parameters.Gradients);
            vector[step - 1].CopyTo(parameters.Gradients[parameters.Offsets[1]..]);
            optimizer.Step(step, 0.1, gradientScale: 1);
            Assert.All(expected[step - 1], (value, i) => Assert.Equal(value, parameters.ValuesOf("w")[i], 1e-6));
            Assert.All(expectedVector[step - 1], (value, i) => Assert.Equal(value, parameters.ValuesOf("b")[i], 1e-6));
        }
    }
}
