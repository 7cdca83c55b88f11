using LlmOps.Engines.Inference;
using Microsoft.ML.OnnxRuntime;

namespace LlmOps.Engines.Tests.Inference;

public sealed class ExecutionProviderTests(ExportedModels models)
{
    private static readonly int[] Prompt = [1, 70, 90, 110, 42];

    [Fact]
    public void Load_SaysInOneSentenceWhatIsMissing_WhereThereIsNoCuda()
    {
        Assert.SkipWhen(OrtEnv.Instance().GetAvailableProviders().Contains("CUDAExecutionProvider"), "This program was built with CUDA.");

        var error = Assert.Throws<UnsupportedModelException>(() => TextGenerator.Load(models.TiedOnnx, new() { Provider = ExecutionProvider.Cuda(1) }));

        Assert.StartsWith("Execution provider 'cuda' cannot be used here: the ONNX Runtime beside this program has only CPUExecutionProvider. It needs a program built with -p:OnnxRuntimeFlavor=gpu", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ToOptions_NamesEveryOption_BecauseAnUpdateResetsTheOthers()
    {
        var provider = ExecutionProvider.Cuda(2) with
        {
            MemoryLimitBytes = 6L << 30, Tf32 = false, CopyInDefaultStream = false, CudaGraph = true, Options = new Dictionary<string, string> { ["use_tf32"] = "1" },
        };

        Assert.Equal(new Dictionary<string, string>
        {
            ["device_id"] = "2", ["arena_extend_strategy"] = "kSameAsRequested", ["use_tf32"] = "1", ["do_copy_in_default_stream"] = "0", ["cudnn_conv_algo_search"] = "HEURISTIC",
            ["gpu_mem_limit"] = "6442450944", ["enable_cuda_graph"] = "1",
        }, provider.ToOptions());
    }

    [Theory]
    [InlineData("tpu", 0, null, "kSameAsRequested", "tpu")]
    [InlineData("cpu", 1, null, "kSameAsRequested", "device 0")]
    [InlineData("cpu", 0, 5L, "kSameAsRequested", "MemoryLimitBytes")]
    [InlineData("cuda", 0, 0L, "kSameAsRequested", "MemoryLimitBytes")]
    [InlineData("cuda", 0, null, "small", "kNextPowerOfTwo")]
    public void Load_RefusesAProviderThatCannotBe(string name, int device, long? limit, string strategy, string expected)
    {
        var provider = new ExecutionProvider(name, device) { MemoryLimitBytes = limit, ArenaStrategy = strategy };

        var error = Assert.Throws<ArgumentException>(() => OnnxCausalModel.Load(models.TiedOnnx, new() { Provider = provider }));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Append_GivesTheSameLogits_ThroughASessionsOwnMemory()
    {
        // The way that a device goes: cache and transfer in memory of the session's provider, here the processor's.
        using var host = DecoderSession.Open(models.TiedOnnx, null);
        var session = OnnxSession.Open(models.TiedOnnx, new());
        using var graph = host.Step with
        {
            Session = session, Memory = TensorMemory.Of(session, "Cpu", 0, OrtMemType.Default, readable: true), Transfer = TensorMemory.Of(session, "Cpu", 0, OrtMemType.Default, readable: true),
        };
        using BoundDecoder ordinary = new(host.Step), bound = new(graph);
        using KeyValueCache first = new(host.Step.Form, host.Step.Memory, 1, 90), second = new(graph.Form, graph.Memory, 1, 90);

        foreach (var tokens in new int[][] { Prompt, [5], [6], [.. Enumerable.Range(20, 30)] })
        {
            ordinary.Run(first, tokens, default);
            bound.Run(second, tokens, default);
            Assert.Equal(ordinary.LastLogits(0), bound.LastLogits(0));
        }
    }

    [Fact]
    public void Start_ComputesAgain_WhereTheDevicesMemoryCannotBeCopied()
    {
        using var host = DecoderSession.Open(models.TiedOnnx, null);
        // The processor's memory, treated as memory that this process cannot read; ONNX Runtime offers no copies within it.
        using var device = TensorMemory.Of(host.Step.Session, "Cpu", 0, OrtMemType.Default, readable: false);
        using var bound = new BoundDecoder(host.Step);
        using KeyValueCache source = new(host.Step.Form, device, 1, 40), copy = new(host.Step.Form, device, 1, 40);
        bound.Run(source, Prompt, default);

        Assert.False(copy.TryCopy(source, Prompt.Length));
        Assert.Equal(0, copy.Length);
        Assert.True(source.Truncate(3)); // in place nothing has to be copied
        bound.Run(source, Prompt.AsSpan(3), default);

        using var model = OnnxCausalModel.Load(models.TiedOnnx);
        var expected = model.Logits([Prompt])[0].AsSpan((Prompt.Length - 1) * 304).ToArray();
        Assert.InRange(expected.Zip(bound.LastLogits(0).ToArray(), (a, b) => Math.Abs(a - b)).Max(), 0, 1e-4f);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Run_WithFixedShapes_GivesTheSameLogits_AsWithGrowingOnes(int rows)
    {
        // What a CUDA graph replays, on the processor: one binding, a mask of the whole capacity.
        using var host = DecoderSession.Open(models.TiedOnnx, null);
        using BoundDecoder growing = new(host.Step), settled = new(host.Step with { FixedShapes = true });
        using KeyValueCache first = new(host.Step.Form, host.Step.Memory, rows, 90), second = new(host.Step.Form, host.Step.Memory, rows, 90), other = new(host.Step.Form, host.Step.Memory, rows, 40);
        var prompt = Enumerable.Range(0, rows * 12).Select(i => 5 + i * 31 % 290).ToArray();

        foreach (var length in new[] { 12, 6 })
        {
            first.Truncate(0);
            second.Truncate(0);
            growing.Run(first, prompt.AsSpan(0, rows * length), default);
            settled.Run(second, prompt.AsSpan(0, rows * length), default);
            for (var step = 0; step < 5; step++)
            {
                var tokens = Enumerable.Range(0, rows).Select(row => 20 + step * 7 + row).ToArray();
                growing.Run(first, tokens, default);
                settled.Run(other, tokens, default); // another cache in between has a step of its own
                settled.Run(second, tokens, default);
                for (var row = 0; row < rows; row++)
                    Assert.Equal(growing.LastLogits(row), settled.LastLogits(row));
            }
        }
        Assert.Equal(10, other.Length);
        settled.Release(second);
        settled.Release(other);
    }
}
