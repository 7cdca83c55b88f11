using System.Runtime.Versioning;
using LlmOps.Engines.Evaluation.Generation;

namespace LlmOps.Engines.Tests.Evaluation.Generation;

[UnsupportedOSPlatform("windows")]
public sealed class ProgramRunnerTests
{
    // More than the usual 3 s: a machine that builds at the same time starts an interpreter slowly.
    private static readonly ProgramLimits Patient = new() { Time = TimeSpan.FromSeconds(30) };

    public ProgramRunnerTests() => Assert.SkipWhen(OperatingSystem.IsWindows(), "The programs here are shell scripts.");

    [Fact]
    public async Task Run_TellsByTheExitCode()
    {
        var runner = new ProgramRunner("sh", Patient);

        var passed = await runner.RunAsync("read line; echo \"got $line\"; echo oops >&2", "hello\n");
        var failed = await runner.RunAsync("exit 3");

        Assert.True(passed.Passed, passed.Error);
        Assert.Equal(("got hello\n", "oops\n", false), (passed.Output, passed.Error, passed.TimedOut));
        Assert.Equal((3, false), (failed.ExitCode, failed.Passed));
    }

    [Fact]
    public async Task Run_KillsAfterTheTime_WithAllThatWasStarted()
    {
        // A length that nothing else sleeps for names the process, also from outside its namespace.
        var length = $"6{Random.Shared.Next(100_000, 1_000_000)}";
        var started = false;
        var watch = Task.Run(async () =>
        {
            while (!(started |= IsRunning(length)))
                await Task.Delay(10);
        });

        var outcome = await new ProgramRunner("sh", new() { Time = TimeSpan.FromMilliseconds(700) }).RunAsync($"sleep {length} & while :; do sleep 1; done");
        await watch.WaitAsync(TimeSpan.FromSeconds(10));
        var deadline = DateTime.UtcNow.AddSeconds(10);
        while (IsRunning(length) && DateTime.UtcNow < deadline)
            await Task.Delay(10);

        Assert.True(outcome.TimedOut);
        Assert.False(outcome.Passed);
        Assert.InRange(outcome.DurationMs, 600, 30_000);
        Assert.True(started);
        Assert.False(IsRunning(length), "A process that the program started outlived it.");
    }

    private static bool IsRunning(string argument) => Directory.EnumerateDirectories("/proc").Any(folder =>
    {
        try
        {
            // A process that ended and waits for its parent has no command line any more.
            return File.ReadAllText(Path.Combine(folder, "cmdline")).Contains($"\0{argument}\0", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    });

    [Fact]
    public async Task Run_GivesAnEmptyEnvironmentAndAFolderThatIsDeleted()
    {
        Environment.SetEnvironmentVariable("LLMOPS_TEST_SECRET", "do not leak");

        var outcome = await new ProgramRunner("sh", Patient).RunAsync("env; pwd; echo x > file && ls");

        Assert.DoesNotContain("do not leak", outcome.Output, StringComparison.Ordinal);
        var folder = outcome.Output.Split('\n').Single(l => l.Contains("llmops-program-", StringComparison.Ordinal) && !l.Contains('=', StringComparison.Ordinal));
        Assert.Contains("file\n", outcome.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder));
    }

    [Fact]
    public async Task Run_KeepsTheBeginningOfALongOutput()
    {
        var outcome = await new ProgramRunner("sh", Patient with { OutputCharacters = 100 }).RunAsync("i=0; while [ $i -lt 20000 ]; do echo line; i=$((i+1)); done");

        Assert.True(outcome.Passed, outcome.Error);
        Assert.Equal(100, outcome.Output.Length);
    }

    [Fact]
    public async Task Run_SaysWhenTheInterpreterIsAbsent() =>
        Assert.Contains("\"no-such-interpreter\" is not on this machine",
            (await Assert.ThrowsAsync<InvalidOperationException>(() => new ProgramRunner("no-such-interpreter").RunAsync(""))).Message, StringComparison.Ordinal);

    [Fact]
    public async Task Run_TakesTheNetworkAway_WhereTheSystemCan()
    {
        Assert.SkipUnless(ProgramRunner.CanDenyNetwork, "No namespaces may be made here.");

        var outcome = await new ProgramRunner("sh", Patient with { RequireNoNetwork = true }).RunAsync("cat /proc/net/route /proc/self/net/dev");

        Assert.True(outcome.NetworkDenied);
        // Heads and the loopback device only: no route, no other device.
        Assert.Equal(["lo"], outcome.Output.Split('\n').Where(l => l.Contains(':', StringComparison.Ordinal)).Select(l => l.Split(':')[0].Trim()));
    }

    [Fact]
    public async Task Run_HidesOtherProcesses_WhereTheSystemCan()
    {
        var outcome = await new ProgramRunner("sh", Patient).RunAsync("for p in /proc/[0-9]*; do echo $p; done");

        Assert.SkipUnless(outcome.ProcessesHidden, "No /proc of its own may be mounted here.");
        Assert.InRange(outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length, 1, 3);
    }

    [Fact]
    public async Task Run_LimitsMemory()
    {
        var python = ProgramRunner.FindCommand("/usr/bin/python3");
        Assert.SkipWhen(python is null, "This needs Python, whose allocations are known.");

        var runner = new ProgramRunner(python!, new() { MemoryBytes = 200L << 20, Time = TimeSpan.FromSeconds(20) });
        var small = await runner.RunAsync("x = bytearray(20 << 20)\nprint(len(x))");
        var large = await runner.RunAsync("x = bytearray(400 << 20)\nprint(len(x))");

        Assert.True(small.Passed, small.Error);
        Assert.False(large.Passed);
        Assert.Contains("MemoryError", large.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("return 1", "return 1")]
    [InlineData("Sure:\n```python\nx = 1\ny = 2\n```\nDone. ```no```", "x = 1\ny = 2")]
    [InlineData("```\nx = 1", "x = 1")]
    public void ProgramText_IsTheFirstBlock(string answer, string code) => Assert.Equal(code, ProgramText.OfAnswer(answer));

    // The form of HumanEval's example problem: of six answers three pass, so pass@1 is what its README prints.
    [Fact]
    public async Task Programs_AreScoredAsHumanEvalDoes()
    {
        var python = ProgramRunner.FindCommand("/usr/bin/python3");
        Assert.SkipWhen(python is null, "This needs Python.");
        const string prompt = "import math\n\ndef half(x):\n    \"\"\"Half of x, rounded down.\"\"\"\n";
        const string tests = "def check(candidate):\n    assert candidate(5) == 2\n    assert candidate(-1) == -1\n\ncheck(half)";
        string[] answers =
        [
            "    return x // 2", "    return math.floor(x / 2)", "Here it is:\n```python\ndef half(x):\n    return math.floor(x / 2)\n```",
            "    return int(x / 2)", "    raise ValueError(x)", "    return (",
        ];
        var runner = new ProgramRunner(python!, Patient);
        var passed = 0;

        foreach (var answer in answers)
            passed += (await runner.RunAsync(ProgramText.Assemble(prompt, answer, tests))).Passed ? 1 : 0;

        Assert.Equal(3, passed);
        Assert.Equal(0.4999999999999999, PassAtK.Estimate(answers.Length, passed, 1));
    }
}
