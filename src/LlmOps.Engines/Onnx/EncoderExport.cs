using System.Diagnostics;
using System.Globalization;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Onnx;

/// <summary>
/// Writes a BERT-shaped Hugging Face encoder as an ONNX graph, node by node, without tracing. Inputs (int64): <c>input_ids [batch, sequence]</c>,
/// <c>attention_mask [batch, sequence]</c> (0 hides a position, on any side) and, in families with more than one token type, <c>token_type_ids</c>.
/// Outputs: <c>last_hidden_state [batch, sequence, hidden]</c> and, when pooling is known, <c>sentence_embedding [batch, hidden]</c>.
/// </summary>
/// <param name="Form">Which operators; the forms compute the same.</param>
public sealed record EncoderExport(GraphForm Form = GraphForm.Contrib)
{
    /// <summary>Pooling; null takes what the folder says (<c>1_Pooling/config.json</c>), and none when it says nothing.</summary>
    public SentencePooling? Pooling { get; init; }

    /// <summary>Reads the checkpoint folder and writes the ONNX folder with tokenizer and configuration.</summary>
    /// <param name="hfFolder">config.json, model.safetensors, tokenizer files; modules.json and 1_Pooling where they exist.</param>
    /// <param name="targetFolder">Appears under its name only when complete.</param>
    /// <param name="progress">Share of the weights written, 0 to 1.</param>
    /// <param name="ct">Stops between two tensors; nothing is left behind.</param>
    /// <exception cref="InvalidModelException">A tensor is missing, cut off, wrongly shaped or not finite; the message names it.</exception>
    /// <exception cref="UnsupportedModelException">The family, an activation, a position type or the pooling is not computed here; found before any work.</exception>
    public ExportReport Run(string hfFolder, string targetFolder, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        var clock = Stopwatch.StartNew();
        var pooling = Pooling ?? SentencePooling.Read(hfFolder);
        using var checkpoint = EncoderCheckpoint.Open(hfFolder);
        var config = checkpoint.Config;
        using var staged = new StagedFolder(hfFolder, targetFolder);
        staged.CopyCompanions(hfFolder);
        var graph = new GraphProto { Name = "encoder" };
        using (var writer = new OnnxWriter(staged.Path))
        {
            new EncoderWeights(checkpoint, writer, graph, progress, ct).WriteAll();
            new EncoderGraph(graph, config, writer, Form).Add(pooling);
            writer.Save(Model(graph, config, pooling));
        }
        var report = new ExportReport(graph.Node.Count, config.ParameterCount, checkpoint.SizeBytes,
            OnnxModel.SizeBytes(staged.Path), clock.Elapsed.TotalSeconds);
        staged.Commit();
        return report;
    }

    private ModelProto Model(GraphProto graph, EncoderConfig config, SentencePooling? pooling)
    {
        var tokens = Math.Min(config.MaxTokens, pooling?.MaxSequenceLength ?? int.MaxValue);
        var model = new ModelProto
        {
            IrVersion = Form == GraphForm.Portable ? 11 : 10,
            ProducerName = "llmops",
            Graph = graph,
            OpsetImport = { new OperatorSetIdProto { Domain = "", Version = Form == GraphForm.Portable ? 23 : 21 } },
            // In the graph file, because passes that rewrite the graph keep it, and the texts' length belongs to the trained function.
            MetadataProps =
            {
                new StringStringEntryProto { Key = "llmops.recipe", Value = nameof(EncoderExport) },
                new StringStringEntryProto { Key = EncoderGraph.MaxTokensKey, Value = tokens.ToString(CultureInfo.InvariantCulture) },
                new StringStringEntryProto { Key = EncoderGraph.PadKey, Value = config.PadTokenId.ToString(CultureInfo.InvariantCulture) },
            },
        };
        if (Form == GraphForm.Contrib)
            model.OpsetImport.Add(new OperatorSetIdProto { Domain = Contrib, Version = 1 });
        return model;
    }
}
