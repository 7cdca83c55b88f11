using LlmOps.Engines.Onnx;
using LlmOps.Engines.Planning;
using LlmOps.Engines.Quantization;
using LlmOps.TestKit;

namespace LlmOps.Engines.Tests.Planning;

public sealed class MachineProbeTests(ExportedModels models)
{
    [Fact]
    public void Measure_GivesRatesThatAProcessorCanHave()
    {
        var found = MachineProbe.Measure(threads: 1, bytesPerThread: 16 << 20, TestContext.Current.CancellationToken);

        Assert.Null(found.FindProblem());
        Assert.Equal((HardwareKind.Cpu, HardwareSource.Measured, 1), (found.Kind, found.Source, found.Cores));
        Assert.InRange(found.BandwidthBytesPerSecond, 1e8, 1e12);
        // A core does 4 to 64 fused multiply-adds at up to 6 GHz; a busy machine does fewer.
        Assert.InRange(found.Fp32OperationsPerSecond, 1e8, 1e12);
        Assert.InRange(found.Int8OperationsPerSecond / found.Fp32OperationsPerSecond, 1.3, 4);
        TestContext.Current.TestOutputHelper?.WriteLine($"{found.BandwidthBytesPerSecond / 1e9:f1} GB/s, fp32 {found.Fp32OperationsPerSecond / 1e9:f0} G/s; {string.Join(" ", found.Notes)}");
    }

    /// <summary>The planner's byte formulas against the tensors that export and passes write; only a row whose blocks do not fill a byte of zero points takes a little more.</summary>
    [Fact]
    public void WeightBytes_AreThoseOfTheTensorsWritten()
    {
        foreach (var (source, tied) in new[] { (models.TiedOnnx, true), (models.UntiedOnnx, false) })
        {
            var shape = ModelShape.Of(TinyModels.Config(tied), "tiny");
            Assert.Equal(WeightPrecision.Fp32.WeightBytes(shape), Bytes(source));
            foreach (var (precision, pass) in new (WeightPrecision, QuantizationPass)[] { (WeightPrecision.Int8, new DynamicInt8()), (WeightPrecision.Int4Block32, new BlockwiseRtn(4, 32)) })
            {
                var target = models.New();
                pass.Run(source, target, null, TestContext.Current.CancellationToken);
                Assert.InRange(Bytes(target) / precision.WeightBytes(shape), 1, precision == WeightPrecision.Int8 ? 1 : 1.005);
            }
        }
    }

    // The rotary table depends on the context, and shapes are numbers of the graph: neither are weights.
    private static double Bytes(string folder)
    {
        using var model = OnnxModel.Load(folder);
        return model.Proto.Graph.Initializer.Where(t => t.DataType != ElementTypes.Int64 && !t.Name.Contains("cos_", StringComparison.Ordinal) && !t.Name.Contains("sin_", StringComparison.Ordinal))
            .Sum(t => t.Dims.Aggregate(1.0, (a, b) => a * b) * (t.DataType == ElementTypes.Float ? 4 : 1));
    }
}
