using LlmOps.Engines.Benchmarking;

namespace LlmOps.Engines.Tests.Benchmarking;

public sealed class ProbeTests(ExportedModels models)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public void Run_MeasuresEveryRepeatInAProcessOfItsOwn()
    {
        var report = Probe.Run(new(models.TiedOnnx, Repeats: 2, PromptTokens: 16, NewTokens: 8), Ct);

        foreach (var values in new[] { report.LoadMs, report.FirstTokenMs, report.PrefillTokensPerSecond, report.DecodeTokensPerSecond, report.LatencyMs, report.PeakMemoryBytes, report.BaselineMemoryBytes })
        {
            Assert.Equal(2, values.Length);
            Assert.All(values, v => Assert.True(double.IsFinite(v) && v > 0));
        }
        Assert.All(report.PeakMemoryBytes.Zip(report.BaselineMemoryBytes), m => Assert.True(m.First > m.Second && m.Second > 1e6));
        TestContext.Current.TestOutputHelper?.WriteLine($"load {report.LoadMs[0]:f0} ms, first token {report.FirstTokenMs[0]:f1} ms, prefill {report.PrefillTokensPerSecond[0]:f0}/s, decode {report.DecodeTokensPerSecond[0]:f0}/s, latency {report.LatencyMs[0]:f1} ms, peak {report.PeakMemoryBytes[0] / 1e6:f0} MB, baseline {report.BaselineMemoryBytes[0] / 1e6:f0} MB");
    }

    [Fact]
    public void Run_TellsTheProcessesOwnError()
    {
        var folder = models.Copy(models.TiedOnnx);
        File.Delete(Path.Combine(folder, "model.onnx"));

        var error = Assert.Throws<InvalidModelException>(() => Probe.Run(new(folder, Repeats: 1), Ct));

        Assert.Contains("There is no model.onnx", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_StartsTheProgramThatIsNamed()
    {
        var report = Probe.Run(new(models.TiedOnnx, Repeats: 1, PromptTokens: 4, NewTokens: 1, OptimizationLevel: "None", Program: typeof(ProbeTests).Assembly.Location), Ct);

        Assert.True(report.LoadMs[0] > 0);
        Assert.Empty(report.DecodeTokensPerSecond); // one token: nothing was decoded after it
        Assert.Throws<ArgumentException>(() => Probe.Run(new(models.TiedOnnx, Program: "/nowhere/program"), Ct));
    }

    [Fact]
    public void Run_RefusesAPromptThatDoesNotFit()
    {
        var error = Assert.Throws<InvalidModelException>(() => Probe.Run(new(models.TiedOnnx, Repeats: 1, PromptTokens: 90), Ct));

        Assert.Contains("do not fit into the context of 96", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Time_AnswersEachRequestInOneProcess_AndCountsItsMemoryAnew()
    {
        int[][] prompts = [[.. Enumerable.Range(1, 40)], [.. Enumerable.Range(1, 4)]];
        var timed = Probe.Time(new(models.TiedOnnx, prompts, NewTokens: 8, Warmup: 1, Repeats: 3, Threads: 1), Ct);

        Assert.Equal(2, timed.Requests.Count);
        Assert.All(timed.Requests, r => Assert.Equal((3, 3), (r.FirstTokenMs.Length, r.LatencyMs.Length)));
        Assert.All(timed.Requests, r => Assert.All(r.FirstTokenMs.Zip(r.LatencyMs), t => Assert.True(t.First > 0 && t.Second >= t.First)));
        Assert.All(timed.Requests, r => Assert.InRange(r.PeakMemoryBytes, 1e6, 2e9));
        Assert.True(timed.LoadMs > 0);
        Assert.EndsWith(", 1 thread", timed.Machine, StringComparison.Ordinal);
        Assert.Equal(MachineDescription.Here(1), timed.Machine);

        Assert.Throws<ArgumentException>(() => Probe.Time(new(models.TiedOnnx, [], 8), Ct));
        Assert.Throws<ArgumentOutOfRangeException>(() => Probe.Time(new(models.TiedOnnx, prompts, 0), Ct));
        // A prompt that fills the context of 96 leaves no room; the message is the process's own.
        Assert.Throws<InvalidModelException>(() => Probe.Time(new(models.TiedOnnx, [[.. Enumerable.Repeat(1, 96)]], 8), Ct));
    }

    [Fact]
    public void TryMain_LeavesOtherArgumentsAlone() => Assert.False(Probe.TryMain(["--quickstart"]));
}
