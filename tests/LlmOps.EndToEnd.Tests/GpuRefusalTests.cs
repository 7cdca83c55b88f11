using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.EndToEnd.Tests;

/// <summary>A libtorch of one's own is loaded in the place of the program's, and a GPU that is not there is refused in one sentence, in the real program.</summary>
public sealed class GpuRefusalTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task AFolderWithAnotherLibtorch_Trains_AndWithoutAGpuCudaIsRefused()
    {
        using var folder = new TemporaryFolder();
        string root = Path.Combine(folder.Path, "pipelines"), data = Path.Combine(folder.Path, "data"), libtorch = Path.Combine(folder.Path, "libtorch");
        Directory.CreateDirectory(Path.Combine(root, "data"));
        foreach (var file in Directory.GetFiles(Path.Combine(Repository.Root, "pipelines", "quickstart", "tiny")))
            File.Copy(file, Path.Combine(root, "data", Path.GetFileName(file)));
        CopyLibtorch(libtorch);

        // Without the setting.
        Assert.Equal(1, await RunAsync(root, "none", Pipeline("none", "cuda"), data, null));
        // The processor's libtorch under other names: everything is loaded from the folder, and it finds no GPU.
        Assert.Equal(0, await RunAsync(root, "own", Pipeline("own", "cpu"), data, libtorch));
        Assert.Equal(1, await RunAsync(root, "blind", Pipeline("blind", "cuda"), data, libtorch));

        var options = new DbContextOptionsBuilder<LlmOpsDb>();
        DatabaseSetup.UseSqlite(options, $"Data Source={Path.Combine(data, "llmops.db")};Mode=ReadOnly;Pooling=False");
        await using var db = new LlmOpsDb(options.Options);
        var errors = await db.StageRuns.Where(s => s.Error != null).Select(s => s.Error!).ToListAsync(TestContext.Current.CancellationToken);
        Assert.Contains(errors, e => e.Contains("this worker has no libtorch for it: set Worker__LibtorchFolder", StringComparison.Ordinal));
        Assert.Contains(errors, e => e.Contains("finds no GPU", StringComparison.Ordinal));
        Assert.Equal(1, await db.Runs.CountAsync(r => r.State == RunState.Succeeded && r.Name == "pretrain-own", TestContext.Current.CancellationToken));
    }

    private static string Pipeline(string name, string device) => $$"""
        name: {{name}}
        stages:
          - name: import-data
            kind: import-data
            with: { source: ../data, name: small-{{name}}, licence: WordNet-3.0 }
          - name: train-tokenizer
            kind: train-tokenizer
            with: { corpus: "${import-data.corpus}", vocabulary_size: 512 }
          - name: pretrain-{{name}}
            kind: pretrain
            with: { corpus: "${import-data.corpus}", tokenizer: "${train-tokenizer.tokenizer}", model: lm-{{name}}, hidden_size: 32, layers: 1, heads: 2, kv_heads: 1, intermediate_size: 64, context_length: 32, batch_size: 4, max_steps: 3, device: {{device}} }
        """;

    // A copy, because a link would be the same file to the loader, and libtorch_cuda.so may be any library here.
    private static void CopyLibtorch(string target)
    {
        string native = Path.Combine(Path.GetDirectoryName(Repository.Built("LlmOps.Cli", "llmops.dll"))!, "runtimes", "linux-x64", "native");
        Directory.CreateDirectory(target);
        foreach (string name in (string[])["libtorch.so", "libtorch_cpu.so", "libc10.so", "libgomp-98b21ff3.so.1"]) File.Copy(Path.Combine(native, name), Path.Combine(target, name));
        File.CreateSymbolicLink(Path.Combine(target, "libtorch_cuda.so"), "libc10.so");
    }

    private static async Task<int> RunAsync(string root, string name, string yaml, string data, string? libtorch)
    {
        var file = Path.Combine(Directory.CreateDirectory(Path.Combine(root, name)).FullName, name + ".yaml");
        await File.WriteAllTextAsync(file, yaml, TestContext.Current.CancellationToken);
        var environment = new Dictionary<string, string> { ["Worker__PollMs"] = "100" };
        if (libtorch is not null) environment["Worker__LibtorchFolder"] = libtorch;
        await using var process = ProductProcess.Start(Repository.Built("LlmOps.Cli", "llmops.dll"), ["run", file, "--data-folder", data], environment);
        return await process.ExitCodeAsync(Patience);
    }
}
