using System.Diagnostics;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Onnx;

/// <summary>
/// Writes a Hugging Face checkpoint of any <see cref="ModelFamily"/> as an ONNX decoder with a key/value cache, node by node, without tracing.
/// Inputs: <c>input_ids [batch, sequence]</c>, <c>attention_mask [batch, total]</c> (both int64) and <c>past_key_values.{i}.key|value [batch, kv_heads, past, head]</c>.
/// Outputs: <c>logits [batch, sequence, vocabulary]</c> for every position and <c>present.{i}.key|value</c>.
/// </summary>
/// <param name="Form">Which operators; the forms compute the same.</param>
public sealed record DecoderExport(GraphForm Form = GraphForm.Contrib)
{
    internal const string FormKey = "llmops.form";

    /// <summary>Reads the checkpoint folder and writes the ONNX folder with tokenizer, configuration and <c>genai_config.json</c>.</summary>
    /// <param name="hfFolder">config.json, safetensors and tokenizer files.</param>
    /// <param name="targetFolder">Appears under its name only when complete.</param>
    /// <param name="progress">Share of the weights written, 0 to 1.</param>
    /// <param name="ct">Stops between two panels of a tensor; nothing is left behind.</param>
    /// <exception cref="InvalidModelException">A tensor is missing, cut off, wrongly shaped or not finite; the message names it.</exception>
    /// <exception cref="UnsupportedModelException">The architecture cannot be expressed with this graph.</exception>
    public ExportReport Run(string hfFolder, string targetFolder, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        var clock = Stopwatch.StartNew();
        using var checkpoint = CheckpointFolder.Open(hfFolder);
        var config = checkpoint.Config;
        EnsureExpressible(config);
        using var staged = new StagedFolder(hfFolder, targetFolder);
        staged.CopyCompanions(hfFolder);
        var graph = new GraphProto { Name = "decoder" };
        using (var writer = new OnnxWriter(staged.Path))
        {
            DecoderGraph.Add(graph, config, Form);
            new DecoderWeights(checkpoint, writer, graph, progress, ct).WriteAll();
            var emitter = GraphEmitter.Of(Form, graph, config);
            var model = new ModelProto
            {
                IrVersion = emitter.IrVersion,
                ProducerName = "llmops",
                Graph = graph,
                OpsetImport = { new OperatorSetIdProto { Domain = "", Version = emitter.Opset } },
                MetadataProps =
                {
                    new StringStringEntryProto { Key = "llmops.recipe", Value = nameof(DecoderExport) }, new StringStringEntryProto { Key = FormKey, Value = Form.ToString() },
                },
            };
            if (Form == GraphForm.Contrib)
                model.OpsetImport.Add(new OperatorSetIdProto { Domain = Contrib, Version = 1 });
            writer.Save(model);
        }
        GenaiConfig.Write(staged.Path, config, Form);
        var report = new ExportReport(graph.Node.Count, config.ParameterCount, checkpoint.Weights.SizeBytes,
            OnnxModel.SizeBytes(staged.Path), clock.Elapsed.TotalSeconds);
        staged.Commit();
        return report;
    }

    private void EnsureExpressible(ModelConfig config)
    {
        if (Form == GraphForm.Contrib && !config.Family.LearnedPositions && config.RotaryDim % 16 != 0)
            throw new UnsupportedModelException($"head_dim is {config.HeadDim}, of which {config.RotaryDim} are turned; GroupQueryAttention needs a rotary width that is a multiple of 16. Export the portable form.");
    }
}
