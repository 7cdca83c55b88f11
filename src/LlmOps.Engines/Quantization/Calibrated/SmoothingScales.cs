using System.Numerics.Tensors;

namespace LlmOps.Engines.Quantization;

/// <summary>SmoothQuant (Xiao and others 2022): s_j = max|x_j|^α / max|w_j|^(1−α), folded like AWQ's scales.</summary>
internal static class SmoothingScales
{
    // A channel without activations or weights has nothing to balance.
    private const float Floor = 1e-5f;

    /// <summary>Folds scales into every group of products that can take them, and says how many could.</summary>
    public static void Fold(GraphRewrite rewrite, NormFolding folding, double alpha, CalibrationTokens calibration, CancellationToken ct)
    {
        var groups = folding.Groups.Where(g => g.Fold is not null).ToList();
        rewrite.Notes.Add($"Smoothing: {groups.Sum(g => g.Products.Count)} of {rewrite.Products.Count} products have an input that can be scaled.");
        if (groups.Count == 0)
            return;
        using var session = new ActivationSession(rewrite.Model, [.. groups.Select(g => (g.Input, g.Width))], gram: false);
        var statistics = session.Run(calibration.Sequences, ct);
        // Last to first, because scales of a layer change the weights of the one that feeds it.
        foreach (var group in groups.AsEnumerable().Reverse())
        {
            ct.ThrowIfCancellationRequested();
            var weights = new float[group.Width];
            foreach (var matrix in group.Products.Select(folding.Weights))
                for (var row = 0; row < matrix.Length; row += group.Width)
                    TensorPrimitives.MaxMagnitude(weights, matrix.AsSpan(row, group.Width), weights);
            var max = statistics[group.Input].MaxAbs;
            folding.Scale(group, [.. weights.Select((w, j) => (float)(Math.Pow(Math.Max(max[j], Floor), alpha) / Math.Pow(Math.Max(Math.Abs(w), Floor), 1 - alpha)))]);
        }
    }
}
