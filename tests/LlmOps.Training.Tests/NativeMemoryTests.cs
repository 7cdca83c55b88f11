using TorchSharp;

namespace LlmOps.Training.Tests;

/// <summary>The library counts tensors of the whole process: nothing else may make any meanwhile.</summary>
[CollectionDefinition(nameof(NativeMemoryTests), DisableParallelization = true)]
public sealed class AloneInTheProcess;

[Collection(nameof(NativeMemoryTests))]
public sealed class NativeMemoryTests : IDisposable
{
    private readonly TinyModel tiny = new();

    [Fact]
    public void AThousandSteps_KeepNoNativeMemory()
    {
        long tensorsBefore = 0, memoryBefore = 0, tensorsAfter = 0, memoryAfter = 0;
        var probe = new OnStep(s =>
        {
            if (s.Step == 50) (tensorsBefore, memoryBefore) = (torch.Tensor.TotalCount, Environment.WorkingSet);
            if (s.Step == 1050) (tensorsAfter, memoryAfter) = (torch.Tensor.TotalCount, Environment.WorkingSet);
        });

        new SupervisedFineTuning { Epochs = 1050, BatchSize = 12, Threads = 2, Dora = true, LoraDropout = 0.1, Dropout = 0.1, RecomputeActivations = true, CheckpointEverySteps = 10_000, EvaluateEverySteps = 100 }
            .Run(tiny.Folder, TinyModel.Instructions, TinyModel.Instructions[..2], tiny.At("tuned"), tiny.At("work"), probe, TestContext.Current.CancellationToken);

        Assert.True(tensorsAfter > 0);
        Assert.True(tensorsAfter - tensorsBefore < 50, $"{tensorsAfter - tensorsBefore} tensors stayed");
        Assert.True(memoryAfter - memoryBefore < 64 << 20, $"{(memoryAfter - memoryBefore) >> 20} MiB stayed");
    }

    public void Dispose() => tiny.Dispose();
}
