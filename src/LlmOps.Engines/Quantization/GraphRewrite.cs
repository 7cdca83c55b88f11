using System.Diagnostics;
using System.Runtime.InteropServices;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using LlmOps.Engines.Optimization;

namespace LlmOps.Engines.Quantization;

/// <summary>A product of an activation with a constant matrix [inputs, outputs], or [outputs, inputs] when <see cref="OutputsFirst"/>.</summary>
internal sealed record WeightProduct(NodeProto Node, TensorProto Weight, bool OutputsFirst)
{
    public int Inputs => (int)Weight.Dims[OutputsFirst ? 1 : 0];
    public int Outputs => (int)Weight.Dims[OutputsFirst ? 0 : 1];
}

/// <summary>
/// Replaces nodes of a source graph and streams the result to disk. Output names stay: callers bind by name.
/// </summary>
internal sealed class GraphRewrite : IDisposable
{
    private const int NamedSkips = 5;
    private readonly Dictionary<string, List<string>> skips = [];
    private readonly string source;
    private readonly List<(NodeProto Node, TensorProto Table)> lookups;
    private readonly StagedFolder staged;
    private readonly OnnxWriter writer;
    private readonly Dictionary<NodeProto, NodeProto[]> replacements = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, TensorProto> added = [], changed = [];
    private readonly Dictionary<(string Table, BlockRounding Rounding), PackedBlocks> packedTables = [];
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private readonly List<NodeProto> inserted = [];

    /// <param name="source">A folder with model.onnx, or any ONNX file.</param>
    /// <param name="targetFolder">Appears only when complete.</param>
    /// <param name="exclude">Nodes that are no <see cref="Products"/> or <see cref="Lookups"/>; those that would have been count as skipped.</param>
    public GraphRewrite(string source, string targetFolder, ExclusionRules? exclude = null)
    {
        (exclude ?? ExclusionRules.None).EnsureValid();
        this.source = source;
        Exclude = exclude ?? ExclusionRules.None;
        Model = OnnxModel.Load(source);
        GraphCheck.Ensure(Model);
        PlainForm.Make(Model);
        staged = new StagedFolder(Directory.Exists(source) ? source : Model.Folder, targetFolder);
        writer = new OnnxWriter(staged.Path);
        Products = Kept(FindProducts(Model), p => p.Node);
        lookups = Kept(Model.Proto.Graph.Node.Where(node => node.OpType == "Gather" && node.Integer("axis", 0) == 0 && Constant(Model, node, 0) is not null)
            .Select(node => (Node: node, Table: Constant(Model, node, 0)!)), l => l.Node);
    }

    public OnnxModel Model { get; }
    public ExclusionRules Exclude { get; }
    public IReadOnlyList<WeightProduct> Products { get; }
    public List<string> Notes { get; } = [];
    public int Skipped { get; set; }

    /// <summary>Lookups in a constant floating-point table [rows, width].</summary>
    public IReadOnlyList<(NodeProto Node, TensorProto Table)> Lookups => lookups;

    /// <summary>Those that no exclusion rule names; the others are counted and noted.</summary>
    public List<T> Kept<T>(IEnumerable<T> found, Func<T, NodeProto> node)
    {
        var kept = new List<T>();
        foreach (var item in found)
            if (Exclude.Excludes(node(item)))
                Skip(node(item), "stays as it is, as an exclusion rule asks");
            else
                kept.Add(item);
        return kept;
    }

    /// <summary>Counts a node that stays as it is; the notes say why, and name the first few for each reason.</summary>
    public void Skip(NodeProto node, string why)
    {
        Skipped++;
        (skips.TryGetValue(why, out var list) ? list : skips[why] = []).Add(node.Title());
    }

    /// <summary>Hash of the data that a pass was calibrated on, for the metadata and the report.</summary>
    public string? CalibrationSha256 { get; set; }

    private IEnumerable<string> SkipNotes() => skips.Select(reason => reason.Value.Count <= NamedSkips
        ? string.Join("; ", reason.Value.Select(title => $"{title}: {reason.Key}")) + "."
        : $"{reason.Value.Count} nodes, for example {string.Join(", ", reason.Value.Take(NamedSkips))}: each {reason.Key}.");

    public bool IsAdded(string name) => added.ContainsKey(name);

    /// <summary>Streams a new tensor; a name that was written before is left as it is, so that nodes can share it.</summary>
    public string Add<T>(string name, int type, long[] dims, ReadOnlySpan<T> values) where T : unmanaged
    {
        if (!added.ContainsKey(name))
            added[name] = writer.Write(name, type, dims, values);
        return name;
    }

    public void Replace(NodeProto node, params NodeProto[] by) => replacements[node] = by;

    public bool IsReplaced(NodeProto node) => replacements.ContainsKey(node);

    /// <summary>Gives an initializer of 32-bit floats other values.</summary>
    public void Change(string initializer, ReadOnlySpan<float> values) =>
        changed[initializer] = writer.Write(initializer, ElementTypes.Float, [.. Model.Initializers[initializer].Dims], values);

    /// <exception cref="UnsupportedModelException">There is nothing to quantize.</exception>
    public void EnsureProducts()
    {
        if (Products.Count == 0)
            throw new UnsupportedModelException("No MatMul of the graph has a constant 2-D float weight: there is nothing to quantize.");
    }

    /// <summary>Rounds a matrix from where it lies; the packed result is all that is held.</summary>
    /// <param name="tensor">32-bit floats, [rows, width] or, when transposed, [width, rows].</param>
    /// <param name="rows">Outputs of the product.</param>
    /// <param name="width">Inputs of the product, along which blocks run.</param>
    /// <param name="transposed">Whether the tensor's order is that of a MatMul.</param>
    /// <param name="rounding">Bits, block and search.</param>
    /// <param name="ct">Stops between two bands of rows.</param>
    /// <exception cref="InvalidModelException">A weight is NaN or infinite; the message names the tensor.</exception>
    public PackedBlocks Pack(TensorProto tensor, int rows, int width, bool transposed, BlockRounding rounding, CancellationToken ct)
    {
        if (packedTables.TryGetValue((tensor.Name, rounding), out var known)) // a head that is tied to the embedding
            return known;
        var values = MemoryMarshal.Cast<byte, float>(Model.Bytes(tensor));
        try
        {
            var packed = BlockPacking.Pack(values, rows, width, rounding, transposed, ct: ct);
            if (lookups.Any(l => l.Table.Name == tensor.Name))
                packedTables.Add((tensor.Name, rounding), packed);
            return packed;
        }
        catch (InvalidModelException e)
        {
            throw new InvalidModelException($"Tensor '{tensor.Name}': {e.Message}");
        }
        finally
        {
            Model.Forget(tensor);
        }
    }

    /// <summary>A node beside those of the source; its place is found when the graph is written.</summary>
    public void Insert(NodeProto node) => inserted.Add(node);

    /// <summary>Brings an older graph to an opset that has the operators of a pass.</summary>
    public void RaiseOpset(long opset)
    {
        if (OpsetUpgrade.Raise(Model, opset) is { } note)
            Notes.Add(note);
    }

    /// <summary>Writes the graph with the tensors that it still needs, opens and runs it, and moves it to its place.</summary>
    /// <param name="recipe">The pass and its options; stored in the file.</param>
    /// <param name="ct">Stops between two tensors.</param>
    /// <param name="samples">Inputs for the comparison with the source; null means random ones.</param>
    /// <param name="quantized">Nodes that were quantized, where that is not every replaced one.</param>
    public QuantizationReport Finish(string recipe, CancellationToken ct, IEnumerable<IReadOnlyList<NamedTensor>>? samples = null, int? quantized = null)
    {
        var graph = Model.Proto.Graph;
        var nodes = graph.Node.SelectMany(node => replacements.TryGetValue(node, out var by) ? by : [node]).Concat(inserted).ToList();
        graph.Node.Clear();
        graph.Node.AddRange(GraphOrder.Sort(nodes));
        var used = UsedNames(graph);
        var kept = graph.Initializer.Where(tensor => used.Contains(tensor.Name) && !changed.ContainsKey(tensor.Name)).ToList();
        graph.Initializer.Clear();
        graph.Initializer.AddRange(kept);
        foreach (var tensor in Model.Proto.AllTensors().Where(t => t.DataLocation == 1))
        {
            ct.ThrowIfCancellationRequested();
            var (file, offset, length) = Model.ExternalRange(tensor);
            writer.CopyExternal(tensor, file, offset, length);
        }
        graph.Initializer.AddRange(added.Values);
        graph.Initializer.AddRange(changed.Values.Where(tensor => used.Contains(tensor.Name)));
        if (Model.Proto.OpsetImport.All(o => o.Domain != Nodes.Contrib))
            Model.Proto.OpsetImport.Add(new OperatorSetIdProto { Domain = Nodes.Contrib, Version = 1 });
        Model.Proto.AddMetadata("llmops.quantization", recipe);
        if (CalibrationSha256 is not null)
            Model.Proto.AddMetadata("llmops.calibration", CalibrationSha256);
        var before = Model.SizeOnDisk();
        writer.Save(Model.Proto);
        writer.Dispose();
        staged.CopyCompanions(Model.Folder);
        // What binds an optimised graph to a runtime and a processor binds its variants too.
        OptimizationRecord.Find(Model.Folder)?.Write(staged.Path);
        var seconds = clock.Elapsed.TotalSeconds;

        Notes.AddRange(SkipNotes());
        var difference = ReloadCheck.Compare(source, staged.Path, new SessionSettings(), ct, samples);
        var report = new QuantizationReport(quantized ?? replacements.Count, Skipped, before, OnnxModel.SizeBytes(staged.Path),
            difference.RelativeL2, difference.ArgmaxAgreement, difference.Note is { } note ? [.. Notes, note] : Notes, difference.FreshProcess)
        { CalibrationSha256 = CalibrationSha256, Seconds = seconds, MaxAbsDifference = difference.MaxAbs };
        staged.Commit();
        return report;
    }

    /// <summary>The weights as [outputs, inputs], the layout of the checkpoint.</summary>
    public static float[] RowsPerOutput(OnnxModel model, WeightProduct product)
    {
        var values = model.Float32(product.Weight);
        if (product.OutputsFirst)
            return values;
        var rows = new float[values.Length];
        Matrix.Transpose<float>(values, product.Inputs, product.Outputs, rows, product.Inputs);
        return rows;
    }

    /// <summary>Every product of an activation with a constant matrix, in the order of the graph.</summary>
    public static List<WeightProduct> FindProducts(OnnxModel model) => [.. model.Proto.Graph.Node.Select(node => Product(model, node)).OfType<WeightProduct>()];

    private static WeightProduct? Product(OnnxModel model, NodeProto node)
    {
        if (Constant(model, node, 1) is not { } weight || model.Initializers.ContainsKey(node.Input[0]))
            return null;
        return (node.OpType, node.Domain) switch
        {
            ("MatMul", "" or "ai.onnx") => new(node, weight, OutputsFirst: false),
            ("Gemm", "" or "ai.onnx") when node.Integer("transA", 0) == 0 && node.Real("alpha", 1) == 1 && (node.Input.Count < 3 || node.Input[2].Length == 0)
                => new(node, weight, node.Integer("transB", 0) == 1),
            ("FusedMatMul", Nodes.Contrib) when node.Integer("transA", 0) == 0 && node.Integer("transBatchA", 0) == 0
                && node.Integer("transBatchB", 0) == 0 && node.Real("alpha", 1) == 1 => new(node, weight, node.Integer("transB", 0) == 1),
            _ => null,
        };
    }

    /// <summary>The constant 32-bit floats of an input, of any shape.</summary>
    public TensorProto? ConstantFloats(NodeProto node, int input) =>
        node.Input.Count > input && Model.Initializers.TryGetValue(node.Input[input], out var tensor) && tensor.DataType == ElementTypes.Float ? tensor : null;

    /// <summary>Whether a node is of those that <see cref="Products"/> are chosen from.</summary>
    public static bool IsProduct(OnnxModel model, NodeProto node) => Product(model, node) is not null;

    private static TensorProto? Constant(OnnxModel model, NodeProto node, int input) =>
        node.Input.Count > input && model.Initializers.TryGetValue(node.Input[input], out var tensor)
            && tensor is { DataType: ElementTypes.Float, Dims.Count: 2 } && !tensor.Dims.Contains(0) ? tensor : null;

    // Bodies of If and Loop see the tensors of the graph around them.
    private static HashSet<string> UsedNames(GraphProto graph) =>
    [
        .. graph.Output.Select(o => o.Name),
        .. graph.Node.SelectMany(node => node.Input.Concat(node.Attribute.SelectMany(a => a.Graphs.Append(a.G)).OfType<GraphProto>().SelectMany(UsedNames))),
    ];

    public void Dispose()
    {
        writer.Dispose();
        staged.Dispose();
        Model.Dispose();
    }
}
