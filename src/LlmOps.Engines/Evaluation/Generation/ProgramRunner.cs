using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace LlmOps.Engines.Evaluation.Generation;

/// <summary>What a program under test may use.</summary>
public sealed record ProgramLimits
{
    /// <summary>Wall-clock time from the start of the interpreter.</summary>
    public TimeSpan Time { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Private writable memory of each of its processes, where the system has a shell with <c>ulimit -d</c>.</summary>
    public long MemoryBytes { get; init; } = 512L << 20;

    /// <summary>Characters kept of each of its outputs; the rest is read and dropped.</summary>
    public int OutputCharacters { get; init; } = 16_384;

    /// <summary>Whether to refuse rather than to run where the network cannot be taken away.</summary>
    public bool RequireNoNetwork { get; init; }

    /// <summary>Whether to refuse rather than to run where it would see other processes.</summary>
    public bool RequireOwnProcesses { get; init; }
}

/// <summary>How a program ended.</summary>
/// <param name="ExitCode">Its exit code; null if it ran out of time and was killed.</param>
/// <param name="Output">Beginning of its standard output.</param>
/// <param name="Error">Beginning of its standard error.</param>
/// <param name="DurationMs">Wall-clock time.</param>
/// <param name="NetworkDenied">Whether it ran without a network.</param>
/// <param name="ProcessesHidden">Whether it saw no process but its own.</param>
/// <param name="MemoryLimited">Whether its memory was limited.</param>
public sealed record ProgramOutcome(int? ExitCode, string Output, string Error, double DurationMs, bool NetworkDenied, bool ProcessesHidden, bool MemoryLimited)
{
    /// <summary>Exit code 0 in time.</summary>
    public bool Passed => ExitCode == 0;

    /// <summary>Whether it was killed for its time.</summary>
    public bool TimedOut => ExitCode is null;
}

/// <summary>
/// Runs a program that a model wrote, as its own process with an interpreter that must exist on this machine: in a new folder that is deleted afterwards, with an
/// environment of nothing but PATH, HOME, TMPDIR and LANG, limited time, and on Linux limited memory and a network and process namespace of its own.
/// </summary>
/// <remarks>
/// This stops accidents: endless loops, memory, downloads, left-over processes. It is no prison: the program runs under this process's account and reads what that
/// account may read. Run the worker in a container or under an account of its own before evaluating programs of a model that nobody trusts.
/// </remarks>
/// <param name="interpreter">Name or path of the interpreter, for example python3, node or sh.</param>
/// <param name="limits">Null: the defaults.</param>
public sealed class ProgramRunner(string interpreter, ProgramLimits? limits = null)
{
    private const string SafePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    // $1 kilobytes of memory, $2 seconds of processor time, then the command.
    // A file is at most 64 MiB (131,072 blocks of 512 bytes; a shell that counts in kilobytes allows twice as much).
    private const string Limited = "ulimit -c 0; ulimit -f 131072; ulimit -d \"$1\" && ulimit -t \"$2\" || exit 126; shift 2; exec \"$@\"";
    private const string OwnProcesses = "--mount-proc";
    private static readonly string[] Apart = ["--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child"];
    private static readonly Lazy<string[]> Unshare = new(FindUnshare);

    private readonly ProgramLimits limits = limits ?? new();

    /// <summary>Whether programs can be run without a network here.</summary>
    public static bool CanDenyNetwork => Unshare.Value.Length > 0;

    /// <summary>Whether programs can be run here so that they see no process but their own.</summary>
    public static bool CanHideProcesses => Unshare.Value.Contains(OwnProcesses);

    /// <summary>Full path of a command, or null if there is none of that name.</summary>
    public static string? FindCommand(string name)
    {
        if (name.Contains(Path.DirectorySeparatorChar, StringComparison.Ordinal))
            return File.Exists(name) ? Path.GetFullPath(name) : null;
        string[] endings = OperatingSystem.IsWindows() ? [".exe", ""] : [""];
        return (Environment.GetEnvironmentVariable("PATH") ?? SafePath).Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .SelectMany(folder => endings.Select(e => Path.Combine(folder, name + e))).FirstOrDefault(File.Exists);
    }

    /// <summary>Runs one program to its end or to the end of its time.</summary>
    /// <param name="program">Its source text.</param>
    /// <param name="input">Its standard input.</param>
    /// <param name="ct">Kills it.</param>
    /// <exception cref="InvalidOperationException">The interpreter does not exist, or the network or other processes cannot be taken away and must be.</exception>
    public async Task<ProgramOutcome> RunAsync(string program, string input = "", CancellationToken ct = default)
    {
        var command = FindCommand(interpreter)
            ?? throw new InvalidOperationException($"The interpreter \"{interpreter}\" is not on this machine; install it or name another one in the suite.");
        if (limits.RequireNoNetwork && !CanDenyNetwork)
            throw new InvalidOperationException("The network cannot be taken away from a program here: unshare is missing or may not make namespaces. Allow it, or drop the demand.");
        if (limits.RequireOwnProcesses && !CanHideProcesses)
            throw new InvalidOperationException("Other processes cannot be hidden from a program here: unshare may not make a /proc of its own, as in most containers. Allow it, or drop the demand.");
        var folder = Directory.CreateTempSubdirectory("llmops-program-");
        try
        {
            var source = Path.Combine(folder.FullName, "program");
            await File.WriteAllTextAsync(source, program, ct);
            return await RunAsync(Start(command, source, folder.FullName), input, ct);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private async Task<ProgramOutcome> RunAsync(ProcessStartInfo start, string input, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"\"{start.FileName}\" could not be started.");
        using var time = CancellationTokenSource.CreateLinkedTokenSource(ct);
        time.CancelAfter(limits.Time);
        var (output, error) = (Read(process.StandardOutput), Read(process.StandardError));
        var inTime = true;
        try
        {
            await Write(process.StandardInput, input, time.Token);
            await process.WaitForExitAsync(time.Token);
        }
        catch (OperationCanceledException)
        {
            inTime = false;
        }
        finally
        {
            // What the program started and left behind ends too; otherwise it would hold the outputs open.
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }
        ct.ThrowIfCancellationRequested();
        var texts = await Task.WhenAll(output, error).WaitAsync(TimeSpan.FromSeconds(2), ct).ContinueWith(t => t.IsCompletedSuccessfully ? t.Result : ["", ""], TaskScheduler.Default);
        return new ProgramOutcome(inTime ? process.ExitCode : null, texts[0], texts[1], watch.Elapsed.TotalMilliseconds,
            CanDenyNetwork, CanHideProcesses, !OperatingSystem.IsWindows());
    }

    private ProcessStartInfo Start(string command, string source, string folder)
    {
        string[] line = [command, source];
        if (!OperatingSystem.IsWindows())
            line = ["/bin/sh", "-c", Limited, "sh", Text(limits.MemoryBytes >> 10), Text((long)Math.Ceiling(limits.Time.TotalSeconds) + 1), .. line];
        line = [.. Unshare.Value, .. line];
        var start = new ProcessStartInfo(line[0], line[1..])
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        var root = OperatingSystem.IsWindows() ? Environment.GetEnvironmentVariable("SystemRoot") : null;
        start.Environment.Clear();
        start.Environment["PATH"] = SafePath;
        start.Environment["HOME"] = start.Environment["TMPDIR"] = start.Environment["TEMP"] = folder;
        start.Environment["LANG"] = "C.UTF-8";
        if (root is not null)
            start.Environment["SystemRoot"] = root; // Windows starts no process without it.
        return start;
    }

    private async Task<string> Read(StreamReader reader)
    {
        var kept = new StringBuilder();
        var buffer = new char[4096];
        while (await reader.ReadAsync(buffer) is > 0 and var read)
            kept.Append(buffer, 0, Math.Min(read, limits.OutputCharacters - kept.Length));
        return kept.ToString();
    }

    private static async Task Write(StreamWriter writer, string input, CancellationToken ct)
    {
        try
        {
            await using (writer)
                await writer.WriteAsync(input.AsMemory(), ct);
        }
        catch (IOException)
        {
            // A program may end without having read its input.
        }
    }

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    // Containers often forbid new namespaces, or a /proc of their own, so each is tried once. With the machine's /proc a program could read the environment of this process.
    private static string[] FindUnshare()
    {
        if (!OperatingSystem.IsLinux() || FindCommand("unshare") is not { } unshare)
            return [];
        string[][] ways = [[unshare, .. Apart, OwnProcesses, "--"], [unshare, .. Apart, "--"]];
        return ways.FirstOrDefault(Works) ?? [];
    }

    private static bool Works(string[] prefix)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(prefix[0], [.. prefix[1..], "/bin/sh", "-c", "exit 0"]) { RedirectStandardError = true, RedirectStandardOutput = true });
            return process is not null && process.WaitForExit(5000) && process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
