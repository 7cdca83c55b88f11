using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.SmallModels;

/// <summary>
/// Compares an exported small model with its checkpoint on random inputs, single rows and batches. Tolerances are
/// those of the language models' <see cref="ParityCheck"/>.
/// </summary>
public sealed record SmallModelParity
{
    /// <summary>Rows of each comparison.</summary>
    public IReadOnlyList<int> Batches { get; init; } = [1, 2, 17, 64];

    /// <summary>Allowed difference of an output, where outputs stay below 10 in magnitude; grows in proportion above.</summary>
    public double Tolerance { get; init; } = 1e-4;

    /// <summary>Allowed norm of the difference over the norm of the reference.</summary>
    public double RelativeTolerance { get; init; } = 1e-5;

    /// <summary>Runs every comparison; a difference is a finding in the report, not an exception.</summary>
    /// <param name="reference">The checkpoint in the training framework.</param>
    /// <param name="onnxFolder">The exported folder.</param>
    /// <param name="seed">Of the inputs.</param>
    /// <param name="ct">Stops between two comparisons.</param>
    /// <exception cref="InvalidModelException">The folder does not open as a small model.</exception>
    public ParityReport Run(SmallModelRun reference, string onnxFolder, int seed = 0, CancellationToken ct = default)
    {
        using var session = SmallModelSession.Open(onnxFolder);
        var random = new Random(seed);
        var (cases, differences) = (new List<ParityCase>(), new List<OutputGap>());
        foreach (var batch in Batches)
        {
            ct.ThrowIfCancellationRequested();
            var inputs = SmallModelInputs.Random(session.Config, batch, random);
            var found = session.Run(inputs);
            foreach (var wanted in reference(inputs))
            {
                var gap = OutputGap.Of(wanted, found.FirstOrDefault(f => f.Name == wanted.Name)
                    ?? throw new InvalidModelException($"The exported model has no output '{wanted.Name}'."));
                differences.Add(gap);
                cases.Add(Case($"{wanted.Name}, batch {batch}", gap));
            }
        }
        List<string> failures = [.. cases.Where(c => !c.Passed).Select(c => FormattableString.Invariant($"{c.Name}: largest difference {c.MaxAbsDifference:0.0e0}, allowed {c.Tolerance:0.0e0}; relative {c.RelativeL2:0.0e0}."))];
        return new(failures.Count == 0, cases.Max(c => c.MaxAbsDifference), Math.Sqrt(differences.Sum(d => d.Squared) / Math.Max(double.Epsilon, differences.Sum(d => d.Norm))),
            differences.Sum(d => d.SameTop) / (double)differences.Sum(d => d.Rows), 0, 0, cases, failures);
    }

    private ParityCase Case(string name, OutputGap gap)
    {
        var (tolerance, relative) = (Tolerance * Math.Max(1, gap.Largest / 10), Math.Sqrt(gap.Squared / Math.Max(double.Epsilon, gap.Norm)));
        // Written so that NaN counts as different.
        return new(name, gap.MaxAbs, tolerance, relative, gap.SameTop / (double)gap.Rows, gap.MaxAbs <= tolerance && (relative <= RelativeTolerance || gap.MaxAbs <= 1e-6));
    }

    private sealed record OutputGap(double MaxAbs, double Squared, double Norm, double Largest, int Rows, int SameTop)
    {
        public static OutputGap Of(NamedTensor wanted, NamedTensor found)
        {
            if (!wanted.Shape.SequenceEqual(found.Shape))
                throw new InvalidModelException($"The output '{wanted.Name}' has the shape [{string.Join(", ", found.Shape)}] in the exported model and [{string.Join(", ", wanted.Shape)}] in the checkpoint.");
            ReadOnlySpan<float> a = wanted.Values<float>(), b = found.Values<float>();
            double most = 0, squared = 0, norm = 0, largest = 0;
            for (var i = 0; i < a.Length; i++)
            {
                double gap = Math.Abs((double)a[i] - b[i]);
                most = double.IsNaN(gap) || gap > most ? gap : most;
                (squared, norm, largest) = (squared + gap * gap, norm + (double)a[i] * a[i], Math.Max(largest, Math.Abs(a[i])));
            }
            var (width, rows, same) = ((int)wanted.Shape[^1], a.Length / (int)wanted.Shape[^1], 0);
            for (var row = 0; row < rows; row++)
                same += Top(a.Slice(row * width, width)) == Top(b.Slice(row * width, width)) ? 1 : 0;
            return new(most, squared, norm, largest, rows, same);
        }

        private static int Top(ReadOnlySpan<float> values) => System.Numerics.Tensors.TensorPrimitives.IndexOfMax(values);
    }
}
