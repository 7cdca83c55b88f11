using System.Diagnostics;
using System.Globalization;

namespace LlmOps.Benchmarks.Training;

/// <summary>benchmarks/peers/pretrain.py in a process of its own, which waits for its turns.</summary>
internal sealed class PythonPeer : ISide
{
    private readonly Process process;
    private readonly int stepsPerTurn;

    public PythonPeer(string folder, int threads, int stepsPerTurn, string device = "cpu", string precision = "Float32")
    {
        this.stepsPerTurn = stepsPerTurn;
        string python = Environment.GetEnvironmentVariable("PEER_PYTHON") ?? "/usr/bin/python3";
        var start = new ProcessStartInfo(python, [Path.Combine("benchmarks", "peers", "pretrain.py"), folder, threads.ToString(CultureInfo.InvariantCulture), device, precision])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true,
        };
        process = Process.Start(start)!;
        Name = "PyTorch eager, " + Answer();
        // As on our side, the first step is not timed.
        _ = Run(1);
    }

    public string Name { get; }

    /// <summary>Loss of the first step and of the last step of each turn.</summary>
    public List<double> Losses { get; } = [];

    public Measured Turn()
    {
        TimeSpan before = process.TotalProcessorTime;
        var (tokens, seconds) = Run(stepsPerTurn);
        process.Refresh();
        return new Measured(tokens, seconds, (process.TotalProcessorTime - before).TotalSeconds);
    }

    public void Dispose()
    {
        process.StandardInput.Close();
        process.WaitForExit();
        process.Dispose();
    }

    private (double Tokens, double Seconds) Run(int steps)
    {
        process.StandardInput.WriteLine(steps);
        double[] parts = [.. Answer().Split(' ').Select(part => double.Parse(part, CultureInfo.InvariantCulture))];
        Losses.Add(parts[2]);
        return (parts[0], parts[1]);
    }

    private string Answer() => process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("The peer ended early; run benchmarks/peers/pretrain.py by hand to see why.");
}
