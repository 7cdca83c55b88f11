using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>Walks over everything in a model that may hold a tensor or a node.</summary>
internal static class ModelTensors
{
    /// <summary>Every dense tensor: initializers, parts of sparse ones, attributes, bodies of control flow, functions, training graphs.</summary>
    public static IEnumerable<TensorProto> AllTensors(this ModelProto model) =>
        new[] { model.Graph }.Concat(model.TrainingInfo.SelectMany(t => new[] { t.Initialization, t.Algorithm })).OfType<GraphProto>().SelectMany(AllTensors)
            .Concat(model.Functions.SelectMany(f => f.Node).SelectMany(AllTensors));

    public static IEnumerable<TensorProto> AllTensors(this GraphProto graph) =>
        graph.Initializer.Concat(graph.SparseInitializer.SelectMany(Parts)).Concat(graph.Node.SelectMany(AllTensors));

    /// <summary>The nodes of a graph and of the bodies inside it.</summary>
    public static IEnumerable<NodeProto> AllNodes(this GraphProto graph) => graph.Node.SelectMany(node => node.Bodies().SelectMany(AllNodes).Prepend(node));

    /// <summary>The graphs that control flow runs: branches, loop bodies.</summary>
    public static IEnumerable<GraphProto> Bodies(this NodeProto node) => node.Attribute.SelectMany(a => a.G is null ? a.Graphs : a.Graphs.Append(a.G));

    private static IEnumerable<TensorProto> AllTensors(NodeProto node) => node.Attribute.SelectMany(a =>
        (a.T is null ? a.Tensors : a.Tensors.Append(a.T)).Concat((a.SparseTensor is null ? a.SparseTensors : a.SparseTensors.Append(a.SparseTensor)).SelectMany(Parts)))
        .Concat(node.Bodies().SelectMany(AllTensors));

    private static IEnumerable<TensorProto> Parts(SparseTensorProto sparse) => new[] { sparse.Values, sparse.Indices }.OfType<TensorProto>();

    public static long ElementCount(this TensorProto tensor)
    {
        long count = 1;
        foreach (var dim in tensor.Dims)
            try
            {
                count = dim >= 0 ? checked(count * dim) : throw new InvalidModelException($"Tensor '{tensor.Name}' has the dimension {dim}.");
            }
            catch (OverflowException)
            {
                throw new InvalidModelException($"Tensor '{tensor.Name}' has more elements than a 64-bit number counts.");
            }
        return count;
    }
}
