using System.Text.Json;
using System.Text.Json.Serialization;
using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.Quantization;

/// <summary>One way to make a model's weights smaller. Its properties are its options.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(DynamicInt8), "dynamic-int8")]
[JsonDerivedType(typeof(BlockwiseRtn), "blockwise-rtn")]
[JsonDerivedType(typeof(CalibratedBlockwise), "calibrated-blockwise")]
[JsonDerivedType(typeof(StaticQdq), "static-qdq")]
[JsonDerivedType(typeof(SmoothQuant), "smooth-quant")]
[JsonDerivedType(typeof(HalfPrecision), "half-precision")]
[JsonDerivedType(typeof(Int8Prefill), "int8-prefill")]
public abstract record QuantizationPass
{
    /// <summary>Kind and options as JSON, as they are kept in the graph's metadata.</summary>
    protected string Recipe => JsonSerializer.Serialize(this);

    /// <summary>
    /// Inputs for comparing the result with its source; null means random ones, or random tokens for a decoder. A graph that takes only
    /// certain sizes or values needs them.
    /// </summary>
    [JsonIgnore]
    public IReadOnlyList<IReadOnlyList<NamedTensor>>? CheckInputs { get; init; }

    /// <summary>The same pass with token sequences to calibrate on, where it can use any; otherwise the pass itself. For passes that come from a stored specification.</summary>
    /// <param name="sourceFolder">The model that the pass will read.</param>
    /// <param name="tokens">Sequences like those that the model will see.</param>
    public virtual QuantizationPass WithCalibration(string sourceFolder, CalibrationTokens tokens) => this;

    /// <summary>Hash of the calibration data at hand; null when there is none or none is used.</summary>
    internal virtual string? CalibrationHash => null;

    /// <summary>
    /// Reads an exported (or graph-optimised) ONNX folder and writes a quantized one. The result is opened and run before it appears
    /// under its name.
    /// </summary>
    /// <param name="sourceFolder">model.onnx with its companions.</param>
    /// <param name="targetFolder">Appears only when complete.</param>
    /// <param name="progress">Share of the matrices done, 0 to 1.</param>
    /// <param name="ct">Stops between two matrices; nothing is left behind.</param>
    /// <exception cref="InvalidModelException">The source is damaged, or the result does not run; the message names the tensor or node.</exception>
    /// <exception cref="UnsupportedModelException">Nothing in the graph can be quantized this way.</exception>
    public abstract QuantizationReport Run(string sourceFolder, string targetFolder, IProgress<double>? progress = null, CancellationToken ct = default);
}

/// <summary>What a quantization did, and how far the result is from its source on random tokens, or random inputs when it is no decoder.</summary>
/// <param name="Quantized">Nodes that now read quantized weights.</param>
/// <param name="Skipped">Nodes with floating-point weights that stayed as they were; the notes say why.</param>
/// <param name="SourceBytes">Graph and weights before.</param>
/// <param name="TargetBytes">Graph and weights after.</param>
/// <param name="RelativeL2">Norm of the logit difference over the norm of the source's logits. Random tokens are not text: quality needs an evaluation.</param>
/// <param name="ArgmaxAgreement">Share of positions with the same most likely token, 0 to 1, on the same tokens.</param>
/// <param name="Notes">Decisions and exceptions, in words.</param>
/// <param name="FreshProcess">The result was loaded and run in a process of its own; false when this program does not call <see cref="Benchmarking.Probe.TryMain"/>.</param>
public sealed record QuantizationReport(int Quantized, int Skipped, long SourceBytes, long TargetBytes, double RelativeL2, double ArgmaxAgreement, IReadOnlyList<string> Notes,
    bool FreshProcess = false)
{
    /// <summary>Hash of the calibration data, also in the file's metadata; null when none was needed.</summary>
    public string? CalibrationSha256 { get; init; }

    /// <summary>Largest difference of a logit, or of an output's value.</summary>
    public double MaxAbsDifference { get; init; }

    /// <summary>From opening the source until the result was on disk; checking it comes on top.</summary>
    public double Seconds { get; init; }

    /// <summary>What a calibrated pass chose for each product, in the order of the graph.</summary>
    public IReadOnlyList<LayerChoice> Layers { get; init; } = [];
}
