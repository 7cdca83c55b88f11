using System.Text.Json;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Data;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.EndToEnd.Tests;

/// <summary>The command as a CI job uses it: what it prints, and the exit code that decides.</summary>
public sealed class ContaminationCommandTests
{
    private const string Leak = "The quick brown fox jumps over the lazy dog near the river bank.";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task ExitCode_IsZeroWhenClean_OneWhenContaminated_AndTwoWhenItCannotTell()
    {
        using var data = new TemporaryFolder();
        var checkpoint = Path.Combine(data.Path, "tiny");
        TinyModels.WriteLlama(checkpoint);
        Assert.Equal(0, (await RunAsync(data.Path, "import-model", checkpoint, "--name", "tiny")).Code);
        await ImportAsync(data.Path, "exam", true, "Something else entirely, of some length.", Leak);
        await ImportAsync(data.Path, "lessons", false, "A lesson.", Leak.ToUpperInvariant());
        await ImportAsync(data.Path, "others", false, "A lesson.", "Another lesson.");

        // An imported model says nothing about its data.
        var (code, printed) = await RunAsync(data.Path, "contamination", "--dataset", "exam/1", "--version", "tiny/1");
        Assert.True(code == 2 && printed.Contains("not recorded", StringComparison.Ordinal), printed);

        await TrainedOnAsync(data.Path, "lessons/1");
        (code, printed) = await RunAsync(data.Path, "contamination", "--dataset", "exam/1", "--version", "tiny/1");
        Assert.True(code == 1 && printed.Contains("1 of 2 rows is in the training data", StringComparison.Ordinal) && printed.Contains(Leak, StringComparison.Ordinal) && printed.Contains(Leak.ToUpperInvariant(), StringComparison.Ordinal), printed);
        (code, printed) = await RunAsync(data.Path, "contamination", "--dataset", "exam/1", "--json");
        Assert.Equal((1, 2), (code, JsonDocument.Parse(printed).RootElement.GetProperty("found")[0].GetProperty("row").GetProperty("row").GetInt32()));

        await TrainedOnAsync(data.Path, "others/1");
        (code, printed) = await RunAsync(data.Path, "contamination", "--dataset", "exam/1", "--version", "tiny/1");
        Assert.True(code == 0 && printed.Contains("None of 2 rows", StringComparison.Ordinal), printed);

        (code, printed) = await RunAsync(data.Path, "contamination");
        Assert.True(code == 2 && printed.Contains("Name either a dataset or a suite", StringComparison.Ordinal), printed);
    }

    private static async Task ImportAsync(string data, string name, bool heldOut, params string[] texts)
    {
        var file = Path.Combine(data, name + ".jsonl");
        await File.WriteAllLinesAsync(file, Enumerable.Range(0, 1000).Select(i => $"word{i}").Where(w => Split.IsHeldOut(w) == heldOut).Zip(texts, (w, t) => JsonSerializer.Serialize(new { text = t, headword = w })));
        var (code, printed) = await RunAsync(data, "import", file, "--name", name, "--kind", "Corpus");
        Assert.True(code == 0, printed);
    }

    private static async Task TrainedOnAsync(string data, string datasets)
    {
        var options = new DbContextOptionsBuilder<LlmOpsDb>();
        DatabaseSetup.UseSqlite(options, $"Data Source={Path.Combine(data, "llmops.db")};Pooling=False");
        await using var db = new LlmOpsDb(options.Options);
        await db.ModelVersions.ExecuteUpdateAsync(s => s.SetProperty(v => v.TrainedOn, datasets));
    }

    private static async Task<(int Code, string Printed)> RunAsync(string data, params string[] arguments)
    {
        await using var process = ProductProcess.Start(Repository.Built("LlmOps.Cli", "llmops.dll"), [.. arguments, "--data-folder", data]);
        return (await process.ExitCodeAsync(Patience), process.Output);
    }
}
