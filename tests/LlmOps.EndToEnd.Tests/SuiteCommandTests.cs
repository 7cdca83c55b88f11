using System.Text.RegularExpressions;
using LlmOps.TestKit;

namespace LlmOps.EndToEnd.Tests;

/// <summary>Kinds of tasks and repeats from a terminal, as a CI job would run them.</summary>
public sealed partial class SuiteCommandTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private const string Suite = """
        name: mixed
        tasks:
          - name: write
            kind: generation
            prompt: "{{ q }}"
            target: "{{ q }}"
            max_tokens: 4
            metrics: [f1]
            rows: [{ q: dog }, { q: fox }]
          - name: safe
            kind: safety
            prompt: "{{ q }}"
            max_tokens: 4
            metrics: [secrets]
            rows: [{ q: dog }]
          - name: programs
            kind: code
            interpreter: sh
            chat: false
            prompt: ": <<'END-OF-ANSWER'\n"
            tests: "\nEND-OF-ANSWER\nexit {{ code }}"
            max_tokens: 4
            rows: [{ code: 0 }, { code: 1 }]
        """;

    [Fact]
    public async Task Repeats_PrintTheNoise_AndProgramsRunOnlyWhereTheConfigurationSaysSo()
    {
        using var data = new TemporaryFolder();
        var (checkpoint, file) = (Path.Combine(data.Path, "tiny"), Path.Combine(data.Path, "mixed.yaml"));
        TinyModels.WriteLlama(checkpoint);
        await File.WriteAllTextAsync(file, Suite, TestContext.Current.CancellationToken);
        await RunAsync([], 0, "import-model", checkpoint, "--name", "tiny", "--data-folder", data.Path);
        await RunAsync([], 0, "suite", "save", file, "--data-folder", data.Path);
        string[] evaluate = ["eval", "--suite", "mixed/1", "--version", "tiny/1", "--variants", "checkpoint", "--repeats", "2", "--data-folder", data.Path];

        Assert.Contains("then set Worker__Programs=isolated", await RunAsync([], 1, evaluate), StringComparison.Ordinal);
        var said = await RunAsync(new() { ["Worker__Programs"] = "allowed" }, 0, evaluate);
        Assert.Contains("programs.pass@1", said, StringComparison.Ordinal);
        Assert.Contains("checkpoint: the detectors of safe found nothing.", said, StringComparison.Ordinal);
        // Greedy answers: the machine computes the same each time, and so nothing is noise.
        Assert.Contains("The same in all repeats: write.f1, safe.secrets, programs.pass@1.", said, StringComparison.Ordinal);
    }

    /// <returns>What it printed, with every run of white space as one space: a terminal breaks lines where it likes.</returns>
    private static async Task<string> RunAsync(Dictionary<string, string> settings, int expected, params string[] arguments)
    {
        await using var process = ProductProcess.Start(Repository.Built("LlmOps.Cli", "llmops.dll"), arguments, new Dictionary<string, string>(settings) { ["Worker__PollMs"] = "100" });
        Assert.True(await process.ExitCodeAsync(Patience) == expected, process.Output);
        return Space().Replace(process.Output, " ");
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
