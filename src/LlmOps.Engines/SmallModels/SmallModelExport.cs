using System.Diagnostics;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.SmallModels;

/// <summary>Writes the checkpoint of a small model as an ONNX folder of standard operators, node by node, without tracing.</summary>
public static class SmallModelExport
{
    // Opset 17 has all that these graphs use, LayerNormalization included; older runtimes read it.
    private const int Opset = 17, IrVersion = 8;

    /// <summary>Reads the checkpoint and writes <c>model.onnx</c> with config.json and, where there is one, the tokenizer.</summary>
    /// <param name="checkpointFolder">config.json and model.safetensors.</param>
    /// <param name="targetFolder">Appears under its name only when complete.</param>
    /// <exception cref="InvalidModelException">The folder is no small model, or a tensor is missing or has another shape than config.json says.</exception>
    public static ExportReport Run(string checkpointFolder, string targetFolder)
    {
        var clock = Stopwatch.StartNew();
        var config = SmallModelConfig.TryRead(checkpointFolder) ?? throw new InvalidModelException("config.json names no small model.");
        using var weights = SafetensorsFile.Open(Path.Combine(checkpointFolder, "model.safetensors"));
        EnsureComplete(config, weights);
        using var staged = new StagedFolder(checkpointFolder, targetFolder);
        staged.CopyCompanions(checkpointFolder);
        var graph = new GraphProto { Name = "model" };
        using (var writer = new OnnxWriter(staged.Path))
        {
            Build(graph, writer, config, weights);
            var model = new ModelProto
            {
                IrVersion = IrVersion, ProducerName = "llmops", Graph = graph, OpsetImport = { new OperatorSetIdProto { Domain = "", Version = Opset } },
                MetadataProps = { new StringStringEntryProto { Key = "llmops.recipe", Value = nameof(SmallModelExport) } },
            };
            writer.Save(model);
        }
        var report = new ExportReport(graph.Node.Count, config.ParameterCount, weights.Tensors.Values.Sum(t => t.Length), OnnxModel.SizeBytes(staged.Path), clock.Elapsed.TotalSeconds);
        staged.Commit();
        return report;
    }

    private static void Build(GraphProto graph, OnnxWriter writer, SmallModelConfig config, SafetensorsFile weights)
    {
        switch (config)
        {
            case CnnClassifierConfig cnn: CnnGraph.Add(graph, writer, cnn, weights); break;
            case LstmConfig lstm: LstmGraph.Add(graph, writer, lstm, weights); break;
            case LinearRegressionConfig linear: BaselineGraphs.Add(graph, writer, linear, weights); break;
            case KernelSvmConfig svm: BaselineGraphs.Add(graph, writer, svm, weights); break;
            case AutoencoderConfig autoencoder: AutoencoderGraph.Add(graph, writer, autoencoder, weights); break;
            case DiffusionConfig diffusion: DiffusionGraph.Add(graph, writer, diffusion, weights); break;
            default: throw new UnsupportedModelException($"A {config.Kind} has no ONNX form here.");
        }
    }

    private static void EnsureComplete(SmallModelConfig config, SafetensorsFile weights)
    {
        foreach (var (name, shape) in config.Tensors())
        {
            if (!weights.Tensors.TryGetValue(name, out var found))
                throw new InvalidModelException($"model.safetensors lacks the tensor '{name}' of a {config.Kind}.");
            if (!found.Shape.SequenceEqual(shape))
                throw new InvalidModelException($"Tensor '{name}' has the shape [{string.Join(", ", found.Shape)}]; config.json asks for [{string.Join(", ", shape)}].");
            if (Array.Exists(weights.ReadFloat32(name), v => !float.IsFinite(v)))
                throw new InvalidModelException($"Tensor '{name}' holds a value that is not finite.");
        }
    }
}
