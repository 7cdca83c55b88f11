using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.EndToEnd.Tests;

/// <summary>Trainings in a real process that is killed without warning between two checkpoints end with the same weights, to the bit.</summary>
public sealed class KilledTrainingTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    // Dropout, an average of weights and an adapter with lengths: whatever a checkpoint could forget is in use.
    private const string Pipeline = """
        name: trust
        stages:
          - name: import-data
            kind: import-data
            with: { source: ../data, name: trust, licence: WordNet-3.0 }
          - name: train-tokenizer
            kind: train-tokenizer
            with: { corpus: "${import-data.corpus}", vocabulary_size: 512 }
          - name: pretrain
            kind: pretrain
            with: { corpus: "${import-data.corpus}", tokenizer: "${train-tokenizer.tokenizer}", model: trust-lm, hidden_size: 64, layers: 2, heads: 4, kv_heads: 2, intermediate_size: 128, context_length: 64, batch_size: 4, epochs: 50, max_steps: 60, checkpoint_every: 5, dropout: 0.1, ema_decay: 0.9 }
          - name: fine-tune
            kind: fine-tune
            with: { version: "${pretrain.version}", instructions: "${import-data.instructions}", batch_size: 4, epochs: 50, max_steps: 40, checkpoint_every: 5, dora: true, lora_dropout: 0.1, optimizer: adafactor }
        """;

    [Fact]
    public async Task WeightsAreEqualToTheBit_WhenEachTrainingWasKilledOnce()
    {
        using var folder = new TemporaryFolder();
        string root = Path.Combine(folder.Path, "pipelines"), whole = Path.Combine(folder.Path, "whole"), killed = Path.Combine(folder.Path, "killed");
        Directory.CreateDirectory(Path.Combine(root, "trust"));
        Directory.CreateDirectory(Path.Combine(root, "data"));
        foreach (var file in Directory.GetFiles(Path.Combine(Repository.Root, "pipelines", "quickstart", "tiny")))
            File.Copy(file, Path.Combine(root, "data", Path.GetFileName(file)));
        var yaml = Path.Combine(root, "trust", "trust.yaml");
        await File.WriteAllTextAsync(yaml, Pipeline, TestContext.Current.CancellationToken);

        await using (var uninterrupted = Start(yaml, whole))
            Assert.True(await uninterrupted.ExitCodeAsync(Patience) == 0, uninterrupted.Output);
        foreach (var stage in new[] { "pretrain", "fine-tune" })
        {
            await using var process = Start(yaml, killed);
            // Past a checkpoint and before the next one, as far as the rows tell.
            await process.UntilAsync(async () => await LastStepAsync(killed, stage) is > 6 and < 36, Patience);
            await process.KillAsync();
        }
        await using (var last = Start(yaml, killed))
            Assert.True(await last.ExitCodeAsync(Patience) == 0, last.Output);

        var (expected, _) = await ReportsAsync(whole);
        var (actual, resumed) = await ReportsAsync(killed);
        Assert.Equal(2, expected.Count);
        Assert.Equal(expected, actual);
        Assert.All(resumed, step => Assert.True(step >= 5, $"resumed from step {step}"));
        await using var db = Open(killed);
        Assert.All(await db.Runs.ToListAsync(TestContext.Current.CancellationToken), r => Assert.Equal(RunState.Succeeded, r.State));
        var kept = await db.RunCheckpoints.Where(c => c.RemovedAt == null).GroupBy(c => c.RunId).Select(g => g.Count()).ToListAsync(TestContext.Current.CancellationToken);
        Assert.All(kept, count => Assert.InRange(count, 1, 3));
    }

    private static ProductProcess Start(string yaml, string data) => ProductProcess.Start(Repository.Built("LlmOps.Cli", "llmops.dll"), ["run", yaml, "--data-folder", data],
        new Dictionary<string, string> { ["Worker__PollMs"] = "100", ["Worker__Threads"] = "2" });

    private static async Task<int?> LastStepAsync(string data, string stage)
    {
        if (!File.Exists(Path.Combine(data, "llmops.db")))
            return null;
        try
        {
            await using var db = Open(data);
            return await db.Metrics.Where(m => m.Key == "loss" && db.Runs.Any(r => r.Id == m.RunId && r.Name == stage && r.State == RunState.Running)).MaxAsync(m => (int?)m.Step);
        }
        catch (Microsoft.Data.Sqlite.SqliteException)
        {
            return null;     // the schema is not there yet
        }
    }

    private static async Task<(List<string> Weights, List<int> Resumed)> ReportsAsync(string data)
    {
        await using var db = Open(data);
        var reports = await db.ModelVersions.OrderBy(v => v.Number).Select(v => v.ReportJson).ToListAsync(TestContext.Current.CancellationToken);
        var read = reports.ConvertAll(r => System.Text.Json.JsonDocument.Parse(r).RootElement);
        return (read.ConvertAll(r => r.GetProperty("weights_sha256").GetString()!), read.ConvertAll(r => r.GetProperty("resumed_from_step").GetInt32()));
    }

    private static LlmOpsDb Open(string data)
    {
        var options = new DbContextOptionsBuilder<LlmOpsDb>();
        DatabaseSetup.UseSqlite(options, $"Data Source={Path.Combine(data, "llmops.db")};Mode=ReadOnly;Pooling=False");
        return new LlmOpsDb(options.Options);
    }
}
