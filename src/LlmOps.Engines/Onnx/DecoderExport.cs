using System.Diagnostics;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Onnx;

/// <summary>
/// Writes a Llama-shaped Hugging Face checkpoint as an ONNX decoder with a key/value cache, node by node, without tracing.
/// Inputs: <c>input_ids [batch, sequence]</c>, <c>attention_mask [batch, total]</c> (both int64, rows padded on the right) and
/// <c>past_key_values.{i}.key|value [batch, kv_heads, past, head]</c>. Outputs: <c>logits [batch, sequence, vocabulary]</c> for every
/// position and <c>present.{i}.key|value</c>. Attention is <c>com.microsoft.GroupQueryAttention</c> with rotary embedding inside, which
/// takes several tokens on top of a past for batch 1 only.
/// </summary>
public sealed record DecoderExport
{
    /// <summary>Reads the checkpoint folder and writes the ONNX folder with tokenizer, configuration and <c>genai_config.json</c>.</summary>
    /// <param name="hfFolder">config.json, model.safetensors and tokenizer files.</param>
    /// <param name="targetFolder">Appears under its name only when complete.</param>
    /// <param name="progress">Share of the weights written, 0 to 1.</param>
    /// <param name="ct">Stops between two tensors; nothing is left behind.</param>
    /// <exception cref="InvalidModelException">A tensor is missing, cut off, wrongly shaped or not finite; the message names it.</exception>
    /// <exception cref="UnsupportedModelException">The architecture cannot be expressed with this graph.</exception>
    public ExportReport Run(string hfFolder, string targetFolder, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        var clock = Stopwatch.StartNew();
        using var checkpoint = CheckpointFolder.Open(hfFolder);
        var config = checkpoint.Config;
        if (config.HeadDim % 16 != 0)
            throw new UnsupportedModelException($"head_dim is {config.HeadDim}; GroupQueryAttention needs a rotary width that is a multiple of 16.");

        using var staged = new StagedFolder(hfFolder, targetFolder);
        staged.CopyCompanions(hfFolder);
        var graph = new GraphProto { Name = "decoder" };
        using (var writer = new OnnxWriter(staged.Path))
        {
            new DecoderWeights(checkpoint, writer, graph, progress, ct).WriteAll();
            DecoderGraph.Add(graph, config);
            writer.Save(new ModelProto
            {
                IrVersion = 10,
                ProducerName = "llmops",
                Graph = graph,
                OpsetImport = { new OperatorSetIdProto { Domain = "", Version = 21 }, new OperatorSetIdProto { Domain = Contrib, Version = 1 } },
                MetadataProps = { new StringStringEntryProto { Key = "llmops.recipe", Value = nameof(DecoderExport) } },
            });
        }
        GenaiConfig.Write(staged.Path, config);
        var report = new ExportReport(graph.Node.Count, config.ParameterCount, new FileInfo(Path.Combine(hfFolder, "model.safetensors")).Length,
            OnnxModel.SizeBytes(staged.Path), clock.Elapsed.TotalSeconds);
        staged.Commit();
        return report;
    }
}
