using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.EndToEnd.Tests;

/// <summary>The commands as a person or a CI job runs them: real processes, their exit codes and what they print.</summary>
public sealed class VerifyCommandTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [Theory]
    [InlineData(DatabaseProvider.Sqlite)]
    [InlineData(DatabaseProvider.Postgres)]
    public async Task Statement_IsTakenAway_Verified_AndFoundWhenAnythingChanged(DatabaseProvider provider)
    {
        await using var product = await TestProduct.CreateAsync(provider);
        using var away = new TemporaryFolder();
        var version = await product.ShapedVersionAsync("tiny-lm", ("int8", "int8", 1000));
        var request = await product.PromoteAsync(version, "int8");
        var artifact = Path.Combine(away.Path, "int8");
        var stored = await product.Artifacts.FolderAsync((await product.Get<ReadVersion>().GetAsync(version.Key())).Variants[0].Digest);
        Directory.CreateDirectory(artifact);
        foreach (var file in Directory.GetFiles(stored))
            File.Copy(file, Path.Combine(artifact, Path.GetFileName(file)));

        var (code, printed) = await RunAsync(product, "attest", "download", request.Id.ToString(), "--output", away.Path);
        Assert.True(code == 0, printed);
        var paths = printed.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var (envelope, bundle) = (paths.Single(p => p.EndsWith(".attestation.json", StringComparison.Ordinal)), paths.Single(p => p.Contains("evidence-", StringComparison.Ordinal)));
        var key = Path.Combine(away.Path, "key.pem");
        (code, var pem) = await RunAsync(product, "keys", "export");
        Assert.True(code == 0, pem);
        await File.WriteAllTextAsync(key, pem);
        string[] verify = ["verify", envelope, "--key", key, "--artifact", artifact, "--bundle", bundle];

        // Without the product: no folder, no database.
        (code, printed) = await RunAsync(null, verify);
        Assert.True(code == 0, printed);
        Assert.Contains("As it was signed. Checked: the signature, the evidence bundle, 2 files of int8.", printed, StringComparison.Ordinal);
        Assert.Contains("asked for by alice, signed by rosa", printed, StringComparison.Ordinal);
        (code, printed) = await RunAsync(null, [.. verify, "--json"]);
        Assert.True(System.Text.Json.JsonDocument.Parse(printed).RootElement.GetProperty("good").GetBoolean());

        await File.WriteAllTextAsync(bundle, (await File.ReadAllTextAsync(bundle)).Replace("\"MIT\"", "\"none\"", StringComparison.Ordinal));
        await File.WriteAllTextAsync(Path.Combine(artifact, "tokenizer.json"), "other");
        (code, printed) = await RunAsync(null, verify);
        Assert.True(code == 1, printed);
        Assert.Contains("The evidence bundle was changed", printed, StringComparison.Ordinal);
        Assert.Contains("tokenizer.json was changed", printed, StringComparison.Ordinal);
        // A name that would clear the terminal's line and write another answer over it.
        await File.WriteAllTextAsync(Path.Combine(artifact, "x\u001b[2K\rAs it was signed."), "");
        (code, printed) = await RunAsync(null, verify);
        Assert.Equal(1, code);
        Assert.DoesNotContain('\u001b', printed);
        Assert.Equal(2, (await RunAsync(null, "verify", Path.Combine(away.Path, "none.json"), "--key", key)).Code);
        Assert.Equal(2, (await RunAsync(null, "verify", envelope)).Code);

        (code, printed) = await RunAsync(product, "keys", "rotate");
        Assert.True(code == 0, printed);
        Assert.Contains("retired", (await RunAsync(product, "keys", "list")).Output, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync(null, "verify", envelope, "--key", key)).Code);
        await File.WriteAllTextAsync(key, (await RunAsync(product, "keys", "export")).Output);
        (code, printed) = await RunAsync(null, "verify", envelope, "--key", key);
        Assert.True(code == 1 && printed.Contains("Wrong key", StringComparison.Ordinal), printed);

        Assert.Equal(0, (await RunAsync(product, "attest", "show", "tiny-lm/1")).Code);
        await product.ReadAsync(db => db.Approvals.ExecuteUpdateAsync(u => u.SetProperty(a => a.EvidenceJson, request.EvidenceJson.Replace("\"MIT\"", "\"none\""))));
        (code, printed) = await RunAsync(product, "attest", "show", "tiny-lm/1");
        Assert.True(code == 1 && printed.Contains("The evidence bundle was changed", StringComparison.Ordinal), printed);
    }

    private static async Task<(int Code, string Output)> RunAsync(TestProduct? product, params string[] arguments)
    {
        await using var process = ProductProcess.Start(Repository.Built("LlmOps.Cli", "llmops.dll"), arguments, product?.ProcessSettings);
        var code = await process.ExitCodeAsync(Patience);
        return (code, process.Output);
    }
}
