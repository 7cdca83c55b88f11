using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text;

namespace LlmOps.EndToEnd.Tests;

/// <summary>One of the product's programs as a real process, with its output kept for the failure message.</summary>
public sealed class ProductProcess : IAsyncDisposable
{
    private readonly Process process;
    private readonly StringBuilder output = new(), errors = new();
    private readonly Lock gate = new();

    private ProductProcess(Process process) => this.process = process;

    public int Id => process.Id;
    public bool HasExited => process.HasExited;
    public string Output { get { lock (gate) return output.ToString(); } }
    /// <summary>The part of <see cref="Output"/> that came on the standard error.</summary>
    public string Errors { get { lock (gate) return errors.ToString(); } }

    /// <param name="input">What it reads from its standard input, when it reads any.</param>
    public static ProductProcess Start(string dll, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? settings = null, string? input = null)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = input is not null, WorkingDirectory = Path.GetTempPath() };
        start.ArgumentList.Add(dll);
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        start.Environment["GOMP_SPINCOUNT"] = "0";
        foreach (var (key, value) in settings ?? new Dictionary<string, string>())
            start.Environment[key] = value;
        var running = new ProductProcess(Process.Start(start)!);
        running.process.OutputDataReceived += (_, line) => running.Add(line.Data);
        running.process.ErrorDataReceived += (_, line) => running.Add(line.Data, isError: true);
        if (input is not null)
        {
            running.process.StandardInput.Write(input);
            running.process.StandardInput.Close();
        }
        running.process.BeginOutputReadLine();
        running.process.BeginErrorReadLine();
        return running;
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>SIGKILL, as a power cut would: nothing of the process runs any more.</summary>
    public async Task KillAsync()
    {
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
    }

    public void Signal(string name) => Process.Start("kill", [name, process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)])!.WaitForExit();

    public async Task<int> ExitCodeAsync(TimeSpan patience)
    {
        using var limit = new CancellationTokenSource(patience);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"The process did not end within {patience.TotalSeconds} s. Its output:\n{Output}");
        }
        return process.ExitCode;
    }

    /// <summary>Waits until the condition holds; fails at once when the process dies, and with its output when time runs out.</summary>
    public async Task UntilAsync(Func<Task<bool>> condition, TimeSpan patience, [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        var limit = Stopwatch.StartNew();
        while (!await condition())
        {
            Assert.False(process.HasExited, $"The process ended with {(process.HasExited ? process.ExitCode : 0)} before: {what}\n{Output}");
            Assert.True(limit.Elapsed < patience, $"Not within {patience.TotalSeconds} s: {what}\n{Output}");
            await Task.Delay(20);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
            await KillAsync();
        process.Dispose();
    }

    private void Add(string? line, bool isError = false)
    {
        if (line is null)
            return;
        lock (gate)
        {
            output.AppendLine(line);
            if (isError)
                errors.AppendLine(line);
        }
    }
}
