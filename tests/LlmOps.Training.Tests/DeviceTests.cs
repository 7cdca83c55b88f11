using LlmOps.Training.Architectures;
using LlmOps.Training.Optimizers;
using TorchSharp;

namespace LlmOps.Training.Tests;

/// <summary>What a machine without a GPU says when one is asked for. Loading another libtorch is tried in a process of its own, by the end-to-end tests.</summary>
public sealed class DeviceTests
{
    [Fact]
    public void ADeviceWithoutItsLibtorch_IsRefused_WithTheSettingToMake()
    {
        TorchRuntime.Start(2);
        var e = Assert.Throws<PlatformNotSupportedException>(() => TorchRuntime.DeviceOf(TrainingDevice.Cuda));
        Assert.Equal(
            $"The device is cuda, and this worker has no libtorch for it: set Worker__LibtorchFolder to the lib folder of a libtorch {torch.__version__} built for CUDA, or choose the device cpu.", e.Message);
        Assert.Equal(DeviceType.CPU, TorchRuntime.DeviceOf(TrainingDevice.Cpu).type);
    }

    [Fact]
    public void AFolderWithoutLibtorchForCuda_IsRefused_ByTheMissingFile()
    {
        string folder = Directory.CreateTempSubdirectory("llmops-libtorch-").FullName;
        try
        {
            Assert.Contains("libtorch_cuda.so is not in it", Refusal(folder), StringComparison.Ordinal);
            File.WriteAllText(Path.Combine(folder, "libtorch_cuda.so"), "");
            Assert.Contains("libtorch.so is not in it", Refusal(folder), StringComparison.Ordinal);
            File.WriteAllText(Path.Combine(folder, "libtorch.so"), "no library");
            Assert.Contains("cannot be loaded", Refusal(folder), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Float16_AndAdafactor_AreRefused_WhereTheyCannotRun()
    {
        Assert.Contains("for the device cuda", Assert.Throws<ArgumentException>(() => Run(new Pretraining { Precision = Precision.Float16 })).Message, StringComparison.Ordinal);
        var adafactor = new OptimizerOptions(OptimizerKind.Adafactor);
        Assert.Contains("on the processor only", Assert.Throws<ArgumentException>(() => Run(new Pretraining { Device = TrainingDevice.Cuda, Optimizer = adafactor })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MovingParameters_KeepsValuesAndGradients()
    {
        TorchRuntime.Start(2);
        using var parameters = new FlatParameters([new ParameterShape("a", [2, 3], true), new ParameterShape("b", [4], false)], trainable: true);
        float[] values = [.. Enumerable.Range(0, parameters.Count).Select(i => (float)i)];
        parameters.Set(values);
        Assert.Equal(values, parameters.ToArray());
        Assert.Equal([0f, 1, 2, 3, 4, 5], parameters["a"].data<float>().ToArray());
        // The meta device stands for any other one: shapes without values.
        parameters.MoveTo(new torch.Device(DeviceType.META));
        Assert.False(parameters.IsOnHost);
        Assert.Equal([2, 3], parameters["a"].shape);
        Assert.Equal(DeviceType.META, parameters["b"].grad!.device_type);
    }

    private static string Refusal(string folder) => Assert.Throws<PlatformNotSupportedException>(() => Libtorch.Load(folder)).Message;

    private static void Run(Pretraining options)
    {
        using var tiny = new TinyModel();
        options.Run(TinyModel.Texts, [], tiny.Tokenizer, tiny.At("target"), tiny.At("work"), null, TestContext.Current.CancellationToken);
    }
}
