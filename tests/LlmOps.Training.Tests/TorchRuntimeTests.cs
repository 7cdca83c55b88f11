using TorchSharp;

namespace LlmOps.Training.Tests;

public sealed class TorchRuntimeTests
{
    [Fact]
    public void Start_LoadsTheNativeLibrary_AndComputes()
    {
        TorchRuntime.Start(2);
        using var scope = torch.NewDisposeScope();

        Assert.Equal(2, torch.get_num_threads());
        Assert.Equal(14f, torch.tensor(new[] { 1f, 2f, 3f }).square().sum().item<float>());
    }

    [Fact]
    public void Start_RefusesANegativeNumberOfThreads() => Assert.Throws<ArgumentOutOfRangeException>(() => TorchRuntime.Start(-1));
}
