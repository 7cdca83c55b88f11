using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.EndToEnd.Tests;

/// <summary>Trainings that learn by heart, run away or learn nothing are called so on their runs, in the real program.</summary>
public sealed class VerdictTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private const string Foundation = """
        name: foundation
        stages:
          - name: import-data
            kind: import-data
            with: { source: ../data, name: small, licence: WordNet-3.0 }
          - name: train-tokenizer
            kind: train-tokenizer
            with: { corpus: "${import-data.corpus}", vocabulary_size: 512 }
          - name: pretrain
            kind: pretrain
            with: { corpus: "${import-data.corpus}", tokenizer: "${train-tokenizer.tokenizer}", model: small-lm, hidden_size: 64, layers: 2, heads: 4, kv_heads: 2, intermediate_size: 128, context_length: 64, batch_size: 4, max_steps: 30 }
        """;

    private const string ByHeart = """
        name: by-heart
        stages:
          - name: by-heart
            kind: fine-tune
            with: { version: small-lm/1, instructions: small-instructions/1, method: full, learning_rate: 0.003, batch_size: 16, epochs: 30, evaluate_every: 20, schedule: constant }
        """;

    private const string TooFast = """
        name: too-fast
        stages:
          - name: too-fast
            kind: fine-tune
            with: { version: small-lm/1, instructions: small-instructions/1, method: full, learning_rate: 5, max_gradient_norm: 1000, optimizer: sgd, warmup_fraction: 0, schedule: constant, batch_size: 4, epochs: 20 }
        """;

    private const string NoPreference = """
        name: no-preference
        stages:
          - name: no-preference
            kind: align
            with: { version: small-lm/1, preferences: small-preferences/1, learning_rate: 0.00000001, batch_size: 4, max_steps: 8, held_out_examples: 8, evaluate_every: 4 }
        """;

    [Fact]
    public async Task OverfittingDivergenceAndAPreferenceThatIsNotLearnt_AreNamed_WithTheStep()
    {
        using var folder = new TemporaryFolder();
        string root = Path.Combine(folder.Path, "pipelines"), data = Path.Combine(folder.Path, "data");
        Directory.CreateDirectory(Path.Combine(root, "data"));
        foreach (var file in Directory.GetFiles(Path.Combine(Repository.Root, "pipelines", "quickstart", "tiny")))
            File.Copy(file, Path.Combine(root, "data", Path.GetFileName(file)));

        Assert.Equal(0, await RunAsync(root, "foundation", Foundation, data));
        Assert.Equal(0, await RunAsync(root, "by-heart", ByHeart, data));
        Assert.Equal(1, await RunAsync(root, "too-fast", TooFast, data));
        Assert.Equal(0, await RunAsync(root, "no-preference", NoPreference, data));

        var options = new DbContextOptionsBuilder<LlmOpsDb>();
        DatabaseSetup.UseSqlite(options, $"Data Source={Path.Combine(data, "llmops.db")};Mode=ReadOnly;Pooling=False");
        await using var db = new LlmOpsDb(options.Options);
        var runs = await db.Runs.ToDictionaryAsync(r => r.Name, TestContext.Current.CancellationToken);
        Assert.Equal((RunState.Succeeded, "overfitting"), (runs["by-heart"].State, runs["by-heart"].Verdict));
        Assert.Contains("lowest after step", runs["by-heart"].VerdictText, StringComparison.Ordinal);
        Assert.Equal(RunState.Failed, runs["too-fast"].State);
        Assert.Contains(runs["too-fast"].Verdict, new[] { "diverged", "not-a-number" });
        Assert.Contains("Lower the learning rate", runs["too-fast"].VerdictText, StringComparison.Ordinal);
        Assert.Equal((RunState.Succeeded, "stuck-at-ln2"), (runs["no-preference"].State, runs["no-preference"].Verdict));
        Assert.Contains("the loss is ln 2, where a model is that knows no preference", runs["no-preference"].VerdictText, StringComparison.Ordinal);
    }

    private static async Task<int> RunAsync(string root, string name, string yaml, string data)
    {
        var file = Path.Combine(Directory.CreateDirectory(Path.Combine(root, name)).FullName, name + ".yaml");
        await File.WriteAllTextAsync(file, yaml, TestContext.Current.CancellationToken);
        await using var process = ProductProcess.Start(Repository.Built("LlmOps.Cli", "llmops.dll"), ["run", file, "--data-folder", data], new Dictionary<string, string> { ["Worker__PollMs"] = "100" });
        return await process.ExitCodeAsync(Patience);
    }
}
