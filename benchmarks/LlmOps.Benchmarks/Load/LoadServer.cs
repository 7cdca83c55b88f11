using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using LlmOps.Lifecycle.Identity;
using LlmOps.TestKit;

namespace LlmOps.Benchmarks.Load;

/// <summary>The real server in Release, in a process of its own, and what it uses up. Build LlmOps.Web in Release first.</summary>
internal sealed class LoadServer : IAsyncDisposable
{
    private readonly Process process;

    private LoadServer(Process process, Uri address, string token) => (this.process, Address, Token) = (process, address, token);

    public Uri Address { get; }
    public string Token { get; }

    public static async Task<LoadServer> StartAsync(TestProduct product, IReadOnlyList<Permission> scopes)
    {
        var people = product.Get<ManagePeople>();
        var person = await people.CreateAsync("load", "Load", "correct horse battery", [Roles.Engineer], product.Ada);
        var token = (await product.Get<ManageTokens>().CreateAsync("load", [.. scopes], null, (await people.FindActorAsync(person.Id))!)).Secret;
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var address = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}");
        listener.Stop();
        var start = new ProcessStartInfo("dotnet", [RepositoryRoot.Path("src", "LlmOps.Web", "bin", "Release", "net10.0", "LlmOps.Web.dll"), "--urls", address.ToString()]) { RedirectStandardOutput = true };
        foreach (var (key, value) in product.ProcessSettings)
            start.Environment[key] = value;
        start.Environment["Worker__Embedded"] = "false";
        start.Environment["Logging__LogLevel__Default"] = "Warning";
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => { if (line.Data?.Length > 0) Console.WriteLine("server: " + line.Data); };
        process.BeginOutputReadLine();
        using var client = new HttpClient();
        for (var i = 0; ; i++)
            try
            {
                if ((await client.GetAsync(new Uri(address, "/health/ready"))).IsSuccessStatusCode)
                    return new(process, address, token);
            }
            catch (HttpRequestException) when (i < 600 && !process.HasExited)
            {
                await Task.Delay(100);
            }
    }

    /// <summary>Milliseconds of processor time so far of the server, of the load generator, and of the whole machine: what is left is the database's, where that is another process.</summary>
    public Spent Work()
    {
        process.Refresh();
        var ticks = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(t => long.Parse(t, CultureInfo.InvariantCulture)).ToArray();
        return new(process.TotalProcessorTime.TotalMilliseconds, Process.GetCurrentProcess().TotalProcessorTime.TotalMilliseconds, (ticks.Take(3).Sum() + ticks[5] + ticks[6]) * 10.0);
    }

    public double ResidentMiB
    {
        get
        {
            process.Refresh();
            return process.WorkingSet64 / 1048576.0;
        }
    }

    public async ValueTask DisposeAsync()
    {
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        process.Dispose();
    }
}

internal readonly record struct Spent(double Server, double Client, double Machine)
{
    public static Spent operator -(Spent a, Spent b) => new(a.Server - b.Server, a.Client - b.Client, a.Machine - b.Machine);

    public string For(double items, string unit) =>
        string.Create(CultureInfo.InvariantCulture, $"processor time of {unit}: server {Server / items:f3} ms, client {Client / items:f3} ms, whole machine {Machine / items:f3} ms");
}

/// <summary>Medians and ranges of turns.</summary>
internal static class Turns
{
    public static string Text(IEnumerable<double> values, string format = "N0")
    {
        var sorted = values.Order().ToList();
        var middle = sorted.Count % 2 == 1 ? sorted[sorted.Count / 2] : (sorted[sorted.Count / 2 - 1] + sorted[sorted.Count / 2]) / 2;
        return string.Format(CultureInfo.InvariantCulture, $"{{0:{format}}} ({{1:{format}}}–{{2:{format}}})", middle, sorted[0], sorted[^1]);
    }

    public static double At(IReadOnlyList<double> sorted, double share) => sorted[(int)Math.Min(sorted.Count - 1, sorted.Count * share)];
}
