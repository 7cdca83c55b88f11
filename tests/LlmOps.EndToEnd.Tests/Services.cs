using System.Diagnostics;
using Npgsql;

namespace LlmOps.EndToEnd.Tests;

/// <summary>Private PostgreSQL and RabbitMQ on free loopback ports, started for these tests and ended with them.</summary>
public sealed class Services : IAsyncLifetime
{
    private const string Install = "apt-get install --no-install-recommends postgresql-15 rabbitmq-server chromium";
    private readonly string folder = Directory.CreateTempSubdirectory("llmops-services-").FullName;
    private readonly List<(string Script, string Folder)> started = [];

    public static bool Present => File.Exists("/usr/lib/postgresql/15/bin/initdb") && File.Exists("/usr/lib/rabbitmq/bin/rabbitmq-server");
    public static string Chromium => "/usr/bin/chromium";

    public string PostgresServer { get; private set; } = "";
    public string RabbitMq { get; private set; } = "";

    /// <summary>Missing services are a skip that can be seen on a developer's machine, and a failure where they are required.</summary>
    public static void Require(bool present)
    {
        if (!present && Environment.GetEnvironmentVariable("LLMOPS_REQUIRE_SERVICES") == "1")
            Assert.Fail($"A service these tests need is missing. Run: {Install}");
        Assert.SkipUnless(present, $"A service this test needs is missing. Run as root: {Install}");
    }

    public async ValueTask InitializeAsync()
    {
        if (!Present)
            return;
        PostgresServer = await StartAsync("pg-private.sh", Path.Combine(folder, "pg"), ProductProcess.FreePort());
        RabbitMq = await StartAsync("rabbit-private.sh", Path.Combine(folder, "rabbit"), ProductProcess.FreePort());
    }

    /// <summary>A fresh database on the private server.</summary>
    public async Task<string> NewDatabaseAsync()
    {
        var name = "e2e_" + Guid.NewGuid().ToString("N")[..12];
        await using var connection = new NpgsqlConnection(PostgresServer);
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = $"CREATE DATABASE {name}";
        await command.ExecuteNonQueryAsync();
        return new NpgsqlConnectionStringBuilder(PostgresServer) { Database = name }.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (script, path) in started)
            await Process.Start(new ProcessStartInfo("bash", [script, "destroy", path]) { RedirectStandardOutput = true, RedirectStandardError = true })!.WaitForExitAsync();
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
    }

    private async Task<string> StartAsync(string script, string path, int port)
    {
        var file = Path.Combine(Repository.Root, "infra", "dev", script);
        // PostgreSQL drops to its own user, who has to be able to reach its folder.
        File.SetUnixFileMode(folder, (UnixFileMode)0b111_101_101);
        var start = new ProcessStartInfo("bash", [file, "start", path, port.ToString(System.Globalization.CultureInfo.InvariantCulture)]) { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        started.Add((file, path));
        // One line only: the servers inherit the pipe and keep it open.
        return await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException($"{script} said nothing.");
    }
}

public static class Repository
{
    public static string Root { get; } = Find();

    /// <summary>"Debug" or "Release": the other projects are taken from the same configuration as these tests.</summary>
    public static string Configuration { get; } = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;

    public static string Built(string project, string dll) => Path.Combine(Root, "src", project, "bin", Configuration, "net10.0", dll);

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "LlmOps.sln")))
                return folder.FullName;
        throw new InvalidOperationException("The tests have to lie within the repository.");
    }
}
