using System.CommandLine;
using System.Globalization;
using System.Net.Sockets;
using LlmOps.Engines.Benchmarking;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Training;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.ML.OnnxRuntime;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>Looks at what the product needs on this machine and on the server that commands go to, and says what to do where something is missing.</summary>
internal static class DoctorCommand
{
    private const long LittleDisk = 5L << 30;
    private const long LittleMemory = 4L << 30;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    /// <summary>Above this, times in traces and due times of schedules are not where they are looked for.</summary>
    private static readonly TimeSpan LargestSkew = TimeSpan.FromSeconds(30);

    private enum Health { Good, Warning, Bad }

    private sealed record Finding(string Name, Health Health, string Words);

    public static Command Create()
    {
        var data = new Option<string?>("--data-folder") { Description = "Data folder; the default is in your home." };
        var json = Output.Json;
        var command = new Command("doctor", "Checks this machine, the data folder, the database and the server, and says what to do. Exit code 0: nothing is broken, 1: something is.") { data, ServerCommands.Server };
        command.SetAction(async (parsed, ct) =>
        {
            var configuration = new ConfigurationBuilder().AddEnvironmentVariables().AddInMemoryCollection(parsed.GetValue(data) is { } folder ? new Dictionary<string, string?> { ["Data:Folder"] = folder } : []).Build();
            var findings = new List<Finding> { Machine(), Memory(), Torch(configuration), Onnx(), Gpu(), Folder(configuration), await DatabaseAsync(configuration, ct) };
            findings.AddRange(await ServerAsync(parsed.GetValue(ServerCommands.Server)!, ct));
            if (parsed.GetValue(json))
                Console.WriteLine(Json.Write(findings));
            else
                foreach (var finding in findings)
                    AnsiConsole.MarkupLineInterpolated($"[{finding.Health switch { Health.Good => "green", Health.Warning => "yellow", _ => "red" }}]{finding.Health switch { Health.Good => "ok     ", Health.Warning => "warning", _ => "broken " }}[/] {finding.Name}: {finding.Words}");
            return findings.Exists(f => f.Health == Health.Bad) ? 1 : 0;
        });
        return command;
    }

    private static Finding Machine() => new("machine", Health.Good, MachineDescription.Here(0));

    private static Finding Memory()
    {
        var bytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return bytes < LittleMemory ? new("memory", Health.Warning, $"{Gib(bytes)} for this process; the quickstart needs about 4 GiB. Give it more, or run the pipeline 'tiny'.") : new("memory", Health.Good, $"{Gib(bytes)} for this process.");
    }

    private static Finding Torch(IConfiguration configuration)
    {
        try
        {
            TorchRuntime.LibtorchFolder = configuration["Worker:LibtorchFolder"];
            TorchRuntime.Start();
            return new("training", Health.Good, $"libtorch is loaded, {TorchRuntime.Threads} threads{(TorchRuntime.LibtorchFolder is { Length: > 0 } folder ? $", from {folder}" : "")}.");
        }
        catch (PlatformNotSupportedException e)
        {
            return new("training", Health.Bad, e.Message);
        }
    }

    private static Finding Onnx()
    {
        try
        {
            return new("inference", Health.Good, $"ONNX Runtime {OrtEnv.Instance().GetVersionString()} with {string.Join(", ", OrtEnv.Instance().GetAvailableProviders())}.");
        }
        catch (Exception e) when (e is DllNotFoundException or TypeInitializationException or OnnxRuntimeException)
        {
            return new("inference", Health.Bad, $"ONNX Runtime cannot be loaded: {(e.InnerException ?? e).Message} Build again for this platform.");
        }
    }

    private static Finding Gpu() => File.Exists("/proc/driver/nvidia/version")
        ? new("GPU", Health.Good, File.ReadLines("/proc/driver/nvidia/version").First())
        : new("GPU", Health.Good, "none; models are trained and served on the processor.");

    private static Finding Folder(IConfiguration configuration)
    {
        try
        {
            var folder = DataFolder.Of(configuration);
            var probe = Path.Combine(folder, $".doctor-{Guid.NewGuid():N}");
            File.WriteAllText(probe, "");
            File.Delete(probe);
            var free = new DriveInfo(folder).AvailableFreeSpace;
            return free < LittleDisk ? new("data folder", Health.Warning, $"{folder} has {Gib(free)} free; a training keeps checkpoints there. Free some space, or name another folder in Data__Folder.")
                : new("data folder", Health.Good, $"{folder}, {Gib(free)} free.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new("data folder", Health.Bad, $"It cannot be written: {e.Message} Set Data__Folder to a folder that can.");
        }
    }

    private static async Task<Finding> DatabaseAsync(IConfiguration configuration, CancellationToken ct)
    {
        var provider = configuration.IsPostgres() ? "PostgreSQL" : "SQLite";
        try
        {
            var options = new DbContextOptionsBuilder<LlmOpsDb>();
            DatabaseSetup.Configure(options, configuration);
            await using var db = new LlmOpsDb(options.Options);
            if (!await db.Database.CanConnectAsync(ct))
                return configuration.IsPostgres() ? new("database", Health.Bad, "PostgreSQL does not answer. Start it, or correct ConnectionStrings__Database.") : new("database", Health.Good, "SQLite; none here yet, the first start makes it.");
            var pending = (await db.Database.GetPendingMigrationsAsync(ct)).Count();
            return pending > 0 ? new("database", Health.Warning, $"{provider}; {pending} migrations are missing. The next start applies them; make a copy before.") : new("database", Health.Good, $"{provider}, with every migration.");
        }
        catch (Exception e) when (e is System.Data.Common.DbException or InvalidOperationException or SocketException)
        {
            return new("database", Health.Bad, $"{provider} cannot be read: {e.Message}");
        }
    }

    private static async Task<IReadOnlyList<Finding>> ServerAsync(string server, CancellationToken ct)
    {
        using var client = new HttpClient { Timeout = Patience };
        try
        {
            var address = ServerConnection.Normalised(server);
            using var ready = await client.GetAsync($"{address}/health/ready", ct);
            var findings = new List<Finding> { ready.IsSuccessStatusCode ? new("server", Health.Good, $"{address} is ready.") : new("server", Health.Bad, $"{address} answers with status {(int)ready.StatusCode}: {await ready.Content.ReadAsStringAsync(ct)}") };
            if (ready.Headers.Date is { } theirs && (DateTimeOffset.UtcNow - theirs).Duration() is var skew && skew > LargestSkew)
                findings.Add(new("clock", Health.Warning, $"It differs from the server's by {skew.TotalSeconds:0} s. Set both by NTP."));
            try
            {
                using var connection = ServerConnection.Open(address);
                findings.Add(new("token", Health.Good, $"signed in as {(await connection.GetAsync("/whoami", ct)).Text("name")}."));
            }
            catch (LlmOpsException e)
            {
                findings.Add(new("token", Health.Warning, e.Message));
            }
            return findings;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !ct.IsCancellationRequested)
        {
            // Much of the product works without one.
            return [new("server", Health.Warning, $"{server} does not answer. Start it, or name another with --server or LLMOPS_URL.")];
        }
    }

    private static string Gib(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.0} GiB");
}
