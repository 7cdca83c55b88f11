using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using Microsoft.ML.OnnxRuntime;

namespace LlmOps.Engines.Inference;

/// <summary>Any graph, run with named tensors.</summary>
public sealed class GraphSession : IDisposable
{
    // Sizes for free dimensions, tried in turn: sequence models take any, image models a multiple of what they halve, some only 1.
    private static readonly int[] FreeSizes = [16, 64, 32, 8, 1];
    private readonly InferenceSession session;

    private GraphSession(InferenceSession session) => this.session = session;

    /// <summary>Names of the outputs, in the graph's order.</summary>
    public IReadOnlyList<string> Outputs => session.OutputNames;

    internal InferenceSession Session => session;

    /// <summary>Opens an ONNX file, or a folder's model.onnx.</summary>
    /// <exception cref="InvalidModelException">The file is missing or ONNX Runtime cannot use it; the message names the operator or node.</exception>
    public static GraphSession Open(string model, SessionSettings? settings = null) => Open(model, settings, _ => { });

    internal static GraphSession Open(string model, SessionSettings? settings, Action<SessionOptions> change) =>
        new(OnnxSession.OpenFile(OnnxModel.GraphFile(model), settings ?? new(), change));

    /// <summary>Runs the graph once.</summary>
    /// <param name="inputs">A value for every input of the graph.</param>
    /// <param name="outputs">Names of the outputs to compute; null means all.</param>
    /// <exception cref="InvalidModelException">ONNX Runtime refuses the inputs, or a node fails; the message is its own.</exception>
    public IReadOnlyList<NamedTensor> Run(IReadOnlyList<NamedTensor> inputs, IReadOnlyList<string>? outputs = null)
    {
        var results = new List<NamedTensor>();
        Run(inputs, outputs ?? Outputs, (name, value) => results.Add(NamedTensor.FromOrt(name, value)));
        return results;
    }

    /// <summary>Inputs in the floating-point types that this graph declares.</summary>
    internal IReadOnlyList<NamedTensor> Fit(IReadOnlyList<NamedTensor> inputs) =>
        [.. inputs.Select(i => session.InputMetadata.TryGetValue(i.Name, out var declared) && declared.IsTensor ? i.As((int)declared.ElementDataType) : i)];

    /// <summary>Runs and shows each output where it lies, so that nothing has to be copied.</summary>
    internal void Run(IReadOnlyList<NamedTensor> inputs, IReadOnlyCollection<string> outputs, Action<string, OrtValue> see)
    {
        var values = new List<OrtValue>(inputs.Count);
        try
        {
            foreach (var input in inputs)
                values.Add(input.ToOrt());
            using var options = new RunOptions();
            using var found = OnnxSession.Translate(() => session.Run(options, [.. inputs.Select(i => i.Name)], values, outputs));
            foreach (var (i, name) in outputs.Index())
                see(name, found[i]);
        }
        finally
        {
            foreach (var value in values)
                value.Dispose();
        }
    }

    /// <summary>Random inputs of the first free size that the graph runs with.</summary>
    internal IReadOnlyList<IReadOnlyList<NamedTensor>> RandomSamples(ModelProto model, int count = 2, RandomInputs? rules = null)
    {
        InvalidModelException? last = null;
        foreach (var size in rules is null ? FreeSizes : [.. FreeSizes.Prepend(rules.FreeSize).Distinct()])
        {
            var random = new Random(rules?.Seed ?? 0);
            var made = (rules ?? new()) with { FreeSize = size };
            var samples = Enumerable.Range(0, count).Select(_ => made.Make(model, random)).ToList();
            try
            {
                Run(samples[0], session.OutputNames, (_, _) => { });
                return samples;
            }
            catch (InvalidModelException e)
            {
                last = e;
            }
        }
        throw new UnsupportedModelException($"The graph does not run with random inputs, whatever size its free dimensions get: give inputs. {last!.Message}");
    }

    /// <inheritdoc/>
    public void Dispose() => session.Dispose();
}
