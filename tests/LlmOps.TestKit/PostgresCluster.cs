using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Npgsql;
using Xunit;

namespace LlmOps.TestKit;

/// <summary>One private PostgreSQL cluster for this test process, started when the first test needs it and destroyed when the process ends.</summary>
public static class PostgresCluster
{
    private const string FolderPrefix = "llmops-pg-";
    private static readonly Lazy<Task<string>> Started = new(StartAsync);

    /// <summary>Whether a run without PostgreSQL has failed instead of being shorter than it should be.</summary>
    public static bool ServicesAreRequired => Environment.GetEnvironmentVariable("LLMOPS_REQUIRE_SERVICES") == "1";

    public static bool IsInstalled => File.Exists(Path.Combine(Binaries, "initdb"));

    private static string Binaries => Environment.GetEnvironmentVariable("PG_BIN") ?? "/usr/lib/postgresql/15/bin";

    /// <summary>Connection string of the cluster's own database. Skips the running test, visibly, where PostgreSQL is missing.</summary>
    public static Task<string> ConnectionStringAsync()
    {
        if (!IsInstalled && !ServicesAreRequired)
            Assert.Skip("PostgreSQL 15 is not installed. As root: apt-get update && apt-get install --no-install-recommends postgresql-15");
        if (!IsInstalled)
            throw new InvalidOperationException($"LLMOPS_REQUIRE_SERVICES=1, but there is no initdb in {Binaries}. Install postgresql-15, or set PG_BIN.");
        return Started.Value;
    }

    private static async Task<string> StartAsync()
    {
        DestroyLeftOvers();
        var folder = Path.Combine(Path.GetTempPath(), FolderPrefix + Environment.ProcessId);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Destroy(folder);
        // Between choosing a free port and listening on it somebody else may take it, so that one failure proves nothing.
        for (var attempt = 1; ; attempt++)
        {
            var (code, output) = await ScriptAsync("start", folder, FreePort().ToString(System.Globalization.CultureInfo.InvariantCulture));
            if (code == 0)
                return new NpgsqlConnectionStringBuilder(output.Trim().Split('\n')[^1]) { MaxPoolSize = 20, Timeout = 30, IncludeErrorDetail = true }.ToString();
            if (attempt == 3)
                throw new InvalidOperationException($"The private PostgreSQL cluster did not start: {output}");
        }
    }

    /// <summary>Clusters of test processes that were killed before they could clean up.</summary>
    private static void DestroyLeftOvers()
    {
        foreach (var folder in Directory.EnumerateDirectories(Path.GetTempPath(), FolderPrefix + "*"))
            if (int.TryParse(Path.GetFileName(folder)[FolderPrefix.Length..], out var id) && !IsAlive(id))
                Destroy(folder);
    }

    private static bool IsAlive(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private static void Destroy(string folder) => ScriptAsync("destroy", folder).GetAwaiter().GetResult();

    private static async Task<(int Code, string Output)> ScriptAsync(params string[] arguments)
    {
        var log = Path.Combine(Path.GetTempPath(), $"{FolderPrefix}{Guid.NewGuid():N}.log");
        // The output goes to a file: the server that the script leaves behind would keep a pipe open for ever.
        var start = new ProcessStartInfo("bash", ["-c", "exec \"$0\" \"$@\" >\"$LLMOPS_SCRIPT_LOG\" 2>&1 </dev/null", RepositoryRoot.Path("infra", "dev", "pg-private.sh"), .. arguments]);
        start.Environment["LLMOPS_SCRIPT_LOG"] = log;
        using var process = Process.Start(start)!;
        await process.WaitForExitAsync().ConfigureAwait(false);
        var output = await File.ReadAllTextAsync(log).ConfigureAwait(false);
        File.Delete(log);
        return (process.ExitCode, output);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
