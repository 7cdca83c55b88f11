using System.Globalization;
using System.Text;
using System.Text.Json;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.Optimization;

/// <summary>Where a model spends its time: ONNX Runtime's own profile, added up by operator and by node.</summary>
/// <param name="Runs">Runs that are counted, after one that is not.</param>
/// <param name="Settings">How to run; null means one thread for each processor and level All.</param>
public sealed record OpProfile(int Runs = 5, SessionSettings? Settings = null)
{
    /// <summary>Runs the model and adds up.</summary>
    /// <param name="model">A folder with model.onnx, or any ONNX file.</param>
    /// <param name="inputs">A value for every input; null means random ones.</param>
    /// <param name="ct">Stops between two runs.</param>
    /// <exception cref="InvalidModelException">The model cannot be loaded or run.</exception>
    /// <exception cref="UnsupportedModelException">It does not run with random inputs: give inputs.</exception>
    public OpProfileReport Run(string model, IReadOnlyList<NamedTensor>? inputs = null, CancellationToken ct = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Runs, 1);
        using var opened = OnnxModel.Load(model);
        if (inputs is null)
            // In a session of their own: attempts with other sizes are no part of the profile.
            using (var trial = GraphSession.Open(model, Settings))
                inputs = trial.RandomSamples(opened.Proto, 1)[0];
        var prefix = Path.Combine(Path.GetTempPath(), $"llmops-profile-{Guid.NewGuid():N}");
        string? file = null;
        try
        {
            using (var session = GraphSession.Open(model, Settings, options =>
            {
                // The prefix first: switching on reads it, and otherwise the file lands in the folder the process was started in.
                options.ProfileOutputPathPrefix = prefix;
                options.EnableProfiling = true;
            }))
            {
                for (var i = 0; i <= Runs; i++)
                {
                    ct.ThrowIfCancellationRequested();
                    session.Run(inputs, session.Outputs, (_, _) => { });
                }
                file = session.Session.EndProfiling();
            }
            using var stream = File.OpenRead(file);
            using var json = JsonDocument.Parse(stream);
            return Add(json.RootElement, Runs);
        }
        finally
        {
            foreach (var left in Directory.EnumerateFiles(Path.GetTempPath(), $"{Path.GetFileName(prefix)}*"))
                File.Delete(left);
        }
    }

    private static OpProfileReport Add(JsonElement events, int runs)
    {
        var all = events.EnumerateArray().Where(e => e.TryGetProperty("cat", out _) && e.TryGetProperty("dur", out _)).ToList();
        // The first run allocates and packs.
        var counted = all.Where(e => e.GetProperty("name").GetString() == "model_run").Select(e => (Start: e.GetProperty("ts").GetInt64(), Us: e.GetProperty("dur").GetInt64()))
            .OrderBy(r => r.Start).Skip(1).ToList();
        var nodes = all.Where(e => e.GetProperty("cat").GetString() == "Node" && e.GetProperty("name").GetString()!.EndsWith("_kernel_time", StringComparison.Ordinal)
            && e.GetProperty("ts").GetInt64() >= counted[0].Start)
            .Select(e => (Node: e.GetProperty("name").GetString()![..^"_kernel_time".Length], Op: e.GetProperty("args").GetProperty("op_name").GetString()!, Ms: e.GetProperty("dur").GetInt64() / 1000.0))
            .ToList();
        var total = nodes.Sum(n => n.Ms);
        double Share(double ms) => total == 0 ? 0 : ms / total;
        return new(runs, counted.Sum(r => r.Us) / 1000.0 / runs, total / runs,
            [.. nodes.GroupBy(n => n.Op).Select(g => new OpTime(g.Key, g.Select(n => n.Node).Distinct().Count(), g.Count(), g.Sum(n => n.Ms), Share(g.Sum(n => n.Ms)))).OrderByDescending(o => o.TotalMs)],
            [.. nodes.GroupBy(n => (n.Node, n.Op)).Select(g => new NodeTime(g.Key.Node, g.Key.Op, g.Count(), g.Sum(n => n.Ms), Share(g.Sum(n => n.Ms)))).OrderByDescending(n => n.TotalMs)]);
    }
}

/// <summary>Time of one operator.</summary>
/// <param name="OpType">Its type in the optimised graph, where several nodes may have become one.</param>
/// <param name="Nodes">Nodes of this type that ran.</param>
/// <param name="Calls">Kernel calls in all counted runs.</param>
/// <param name="TotalMs">Time in its kernels, all counted runs.</param>
/// <param name="Share">Of the time in all kernels, 0 to 1.</param>
public sealed record OpTime(string OpType, int Nodes, int Calls, double TotalMs, double Share);

/// <summary>Time of one node.</summary>
/// <param name="Name">Its name in the optimised graph.</param>
/// <param name="OpType">Its type.</param>
/// <param name="Calls">Kernel calls in all counted runs.</param>
/// <param name="TotalMs">Time in its kernel, all counted runs.</param>
/// <param name="Share">Of the time in all kernels, 0 to 1.</param>
public sealed record NodeTime(string Name, string OpType, int Calls, double TotalMs, double Share);

/// <summary>Where the time goes; profiling itself costs some.</summary>
/// <param name="Runs">Counted runs.</param>
/// <param name="RunMs">Mean time of a run.</param>
/// <param name="KernelMs">Mean time of a run that was spent in kernels.</param>
/// <param name="ByOp">Operators, the most expensive first.</param>
/// <param name="ByNode">Nodes, the most expensive first.</param>
public sealed record OpProfileReport(int Runs, double RunMs, double KernelMs, IReadOnlyList<OpTime> ByOp, IReadOnlyList<NodeTime> ByNode)
{
    /// <summary>The most expensive operators and nodes as lines.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{RunMs:f2} ms per run, {KernelMs:f2} ms in kernels, {Runs} runs");
        foreach (var op in ByOp.Take(10))
            text.AppendLine(CultureInfo.InvariantCulture, $"{op.Share,6:p1} {op.TotalMs / Runs,9:f3} ms {op.OpType} x {op.Nodes}");
        foreach (var node in ByNode.Take(10))
            text.AppendLine(CultureInfo.InvariantCulture, $"{node.Share,6:p1} {node.TotalMs / Runs,9:f3} ms {node.OpType} {node.Name}");
        return text.ToString().TrimEnd();
    }
}
