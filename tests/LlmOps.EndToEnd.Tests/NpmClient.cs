using System.Diagnostics;
using System.Security.Cryptography;

namespace LlmOps.EndToEnd.Tests;

/// <summary>
/// A client as it is published on npm, with the exact versions and hashes of its lock file under tests/clients. Installed once into the temporary folder, without
/// running a script of any package and without what a package could also use; where npm or its registry cannot be reached, the test is skipped, visibly.
/// </summary>
internal static class NpmClient
{
    private static readonly Lock Installing = new();

    /// <summary>Runs a script of the client's folder with the packages beside it, and returns what it wrote; fails the test with its error.</summary>
    public static async Task<string> RunAsync(string client, string script, params string[] arguments)
    {
        var folder = Installed(client);
        File.Copy(Path.Combine(Source(client), script), Path.Combine(folder, script), overwrite: true);
        var (code, output, errors) = await ExecuteAsync("node", [script, .. arguments], folder);
        Assert.True(code == 0, $"{client}/{script} ended with {code}:\n{errors}\n{output}");
        return output;
    }

    private static string Source(string client) => Path.Combine(Repository.Root, "tests", "clients", client);

    private static string Installed(string client)
    {
        var locked = File.ReadAllBytes(Path.Combine(Source(client), "package-lock.json"));
        var folder = Path.Combine(Path.GetTempPath(), "llmops-npm", $"{client}-{Convert.ToHexStringLower(SHA256.HashData(locked))[..16]}");
        lock (Installing)
        {
            if (Directory.Exists(folder))
                return folder;
            var fresh = Directory.CreateTempSubdirectory("llmops-npm-").FullName;
            foreach (var file in new[] { "package.json", "package-lock.json" })
                File.Copy(Path.Combine(Source(client), file), Path.Combine(fresh, file));
            var failure = "npm does not start";
            try
            {
                var (code, output, errors) = ExecuteAsync("npm", ["ci", "--silent", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--fetch-retries", "1", "--fetch-timeout", "60000"], fresh).GetAwaiter().GetResult();
                failure = code == 0 ? "" : $"npm ci failed with {code}: {errors} {output}";
            }
            catch (System.ComponentModel.Win32Exception e)
            {
                failure = $"npm does not start: {e.Message}";
            }
            if (failure.Length > 0)
            {
                Directory.Delete(fresh, recursive: true);
                if (Environment.GetEnvironmentVariable("LLMOPS_REQUIRE_SERVICES") == "1")
                    Assert.Fail(failure);
                Assert.Skip(failure);
            }
            Directory.CreateDirectory(Path.GetDirectoryName(folder)!);
            Directory.Move(fresh, folder);
            return folder;
        }
    }

    private static async Task<(int Code, string Output, string Errors)> ExecuteAsync(string program, string[] arguments, string folder)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await errors);
    }
}
