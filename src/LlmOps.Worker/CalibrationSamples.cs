using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;
using LlmOps.Engines.SmallModels;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Pipelines.Stages;

namespace LlmOps.Worker;

/// <summary>Samples for a small model's quantization: training rows show the activations, held-out rows measure how far the outputs moved.</summary>
public sealed record CalibrationSamples(CalibrationData? Data, IReadOnlyList<IReadOnlyList<NamedTensor>>? Check)
{
    // What looks at tokens, or splits matrices that are far too small for it, has nothing to do here.
    private static readonly string[] Possible = ["int8", "int8-static", "int8-blocks", "int4", "int4-refit", "fp16", "bf16"];

    public static async Task<CalibrationSamples> LoadAsync(LlmOpsDb db, DatasetFiles files, QuantizeParameters p, SmallModelConfig config, CancellationToken ct)
    {
        if (p.Methods.FirstOrDefault(m => !Possible.Contains(m)) is { } method)
            throw LlmOpsException.Invalid($"{method} quantizes language models; a {config.Kind} can become {string.Join(", ", Possible)}.");
        // An LSTM's own weights stay as they are, and its table and head need no calibration.
        if (p.Calibration.Length == 0 || config is LstmConfig)
            return new(null, null);
        var version = await db.DatasetVersions.GetAsync(p.Calibration, ct);
        IReadOnlyList<NamedTensor> Inputs(Sample sample) => SmallModelInputs.Of(config, [sample]);
        return new(new([.. (await files.TrainSamplesAsync(version, ct)).Take(p.CalibrationRows).Select(Inputs)]),
            [.. (await files.HeldOutSamplesAsync(version, ct)).Take(p.ComparisonRows).Select(Inputs)]);
    }

    public QuantizationPass Fit(QuantizationPass pass) => pass switch
    {
        // SmoothQuant moves outliers of transformers' activations; a small network has none.
        StaticQdq fixedRanges => fixedRanges with { Smooth = null, Calibration = Data, CheckInputs = Check },
        _ => pass with { CheckInputs = Check },
    };
}
