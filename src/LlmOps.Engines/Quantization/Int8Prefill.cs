using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// Adds a second graph, <c>prefill.onnx</c>, to a folder whose products are MatMulNBits: prompts are bound by arithmetic, for which products of 8-bit integers are about
/// twice as fast, while single tokens are bound by reading weights, for which few bits per weight are. <see cref="TextGenerator"/> uses the second graph by itself. Its
/// weights come from the packed ones and take one byte each in <c>prefill.onnx.data</c>; everything else is read from the first graph's data. Activations of a prompt
/// share one scale per product, as in <see cref="DynamicInt8"/>.
/// </summary>
/// <param name="LastLogitsOnly">Logits of a prompt for its last position only, which is all that generation reads.</param>
public sealed record Int8Prefill(bool LastLogitsOnly = true) : QuantizationPass
{
    /// <inheritdoc/>
    public override QuantizationReport Run(string sourceFolder, string targetFolder, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        using var source = OnnxModel.Load(sourceFolder);
        GraphCheck.Ensure(source);
        using var staged = new StagedFolder(source.Folder, targetFolder);
        foreach (var file in source.ExternalFiles().Prepend(OnnxModel.FileName))
        {
            ct.ThrowIfCancellationRequested();
            var to = Path.Combine(staged.Path, file);
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.Copy(Path.Combine(source.Folder, file), to);
        }
        staged.CopyAllButWeights(source.Folder);

        var model = source.Proto.Clone();
        var cut = LastLogitsOnly && LastPosition.TryCut(model.Graph);
        using var writer = new OnnxWriter(staged.Path, DecoderSession.PrefillFileName);
        var products = new PrefillProducts(source, model.Graph, writer);
        products.Run(progress, ct);
        if (products.Turned == 0)
            throw new UnsupportedModelException("No MatMulNBits product with constant weights was found: quantize the weights first, for example with BlockwiseRtn.");
        model.AddMetadata("llmops.prefill", Recipe);
        writer.Save(model);
        writer.Dispose();

        var difference = ReloadCheck.Compare(sourceFolder, staged.Path, new SessionSettings(), ct);
        List<string> notes = [.. products.Notes];
        if (LastLogitsOnly && !cut)
            notes.Add("Logits of a prompt come for every position: the graph's end is not known to be row by row.");
        if (difference.Note is { } note)
            notes.Add(note);
        var before = source.SizeOnDisk();
        var report = new QuantizationReport(products.Turned, products.Notes.Count, before, before + SizeOf(DecoderSession.PrefillFileName) + SizeOf($"{DecoderSession.PrefillFileName}.data"),
            difference.RelativeL2, difference.ArgmaxAgreement, notes, difference.FreshProcess);
        staged.Commit();
        return report;

        long SizeOf(string file) => new FileInfo(Path.Combine(staged.Path, file)).Length;
    }
}
