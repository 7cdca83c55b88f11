using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>
/// Any ONNX file, opened, checked and ready to be looked at or written. Weights stay on disk until they are needed, inline ones too, so
/// that a model costs the memory of its graph.
/// </summary>
/// <example><code>
/// using var file = OnnxFile.Open("detector.onnx");
/// Console.WriteLine(file.Inspect());
/// file.Save("copy/detector.onnx");
/// </code></example>
public sealed class OnnxFile : IDisposable
{
    private readonly OnnxModel model;

    private OnnxFile(OnnxModel model) => this.model = model;

    internal ModelProto Proto => model.Proto;

    /// <summary>Opens and checks a file of opset 9 to 24, whatever its name, with weights inline or in files beside it.</summary>
    /// <param name="path">An ONNX file, or a folder with model.onnx.</param>
    /// <exception cref="InvalidModelException">
    /// Damaged or cut off; an external file missing, too short or outside of the folder; a tensor whose size is not its shape's; a name made
    /// twice or by nobody; a cycle; graphs nested too deep. The message names the tensor or node.
    /// </exception>
    /// <exception cref="UnsupportedModelException">Another opset, or an unknown element type.</exception>
    public static OnnxFile Open(string path)
    {
        var model = OnnxModel.Load(path);
        try
        {
            GraphCheck.Ensure(model);
            return new(model);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>What the file holds. Asks ONNX Runtime to load it, so that operators which it lacks are named.</summary>
    public OnnxInspection Inspect() => OnnxInspection.Of(model);

    /// <summary>Throws when ONNX Runtime cannot load the model; the message names the operator or node.</summary>
    /// <exception cref="UnsupportedModelException">The runtime lacks an operator, or a kernel for its types.</exception>
    /// <exception cref="InvalidModelException">The runtime refuses the graph for another reason.</exception>
    public void EnsureRuns()
    {
        var inspection = Inspect();
        if (inspection.UnsupportedOperators.Count > 0)
            throw new UnsupportedModelException($"{model.Label}: ONNX Runtime does not know {string.Join(", ", inspection.UnsupportedOperators)}. {inspection.LoadError}");
        if (inspection.LoadError is { } error)
            throw OperatorSupport.LacksKernel(error) ? new UnsupportedModelException($"{model.Label}: {error}") : new InvalidModelException($"{model.Label}: {error}");
    }

    /// <summary>
    /// Writes the model with everything in it, unknown fields too. Inline weights stay inline; external ones go into one file beside the
    /// target, <c>NAME.onnx.data</c>, streamed in parts. The target appears only when complete.
    /// </summary>
    /// <param name="target">The file to write, for example <c>copy/model.onnx</c>.</param>
    /// <param name="progress">Share of the external bytes written, 0 to 1.</param>
    /// <param name="ct">Stops between two tensors; nothing is left behind.</param>
    public void Save(string target, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        var full = Path.GetFullPath(target);
        var folder = Path.GetDirectoryName(full)!;
        Directory.CreateDirectory(folder);
        var staging = $"{full}.partial";
        if (Directory.Exists(staging))
            Directory.Delete(staging, recursive: true);
        Directory.CreateDirectory(staging);
        try
        {
            var name = Path.GetFileName(full);
            var copy = model.Proto.Clone(); // weights are shared, not copied
            using (var writer = new OnnxWriter(staging, name))
            {
                var tensors = copy.AllTensors().Where(t => t.DataLocation == 1).ToList();
                foreach (var (i, tensor) in tensors.Index())
                {
                    ct.ThrowIfCancellationRequested();
                    var (file, offset, length) = model.ExternalRange(tensor);
                    writer.CopyExternal(tensor, file, offset, length);
                    progress?.Report((i + 1.0) / tensors.Count);
                }
                writer.Save(copy);
            }
            // The graph last: a reader never sees one without its weights.
            foreach (var file in Directory.EnumerateFiles(staging).OrderBy(f => Path.GetFileName(f) == name))
                File.Move(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        }
        finally
        {
            Directory.Delete(staging, recursive: true);
        }
    }

    /// <summary>Opens the model for running.</summary>
    /// <exception cref="InvalidModelException">ONNX Runtime cannot use it.</exception>
    public GraphSession OpenSession(SessionSettings? settings = null) => GraphSession.Open(model.Path, settings);

    /// <inheritdoc/>
    public void Dispose() => model.Dispose();
}
