using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Quantization;
using LlmOps.Engines.SmallModels;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;

namespace LlmOps.Worker.Handlers;

public sealed class QuantizeHandler(ArtifactStore artifacts, DatasetFiles files, Hints hints) : IJobHandler
{
    public string Kind => "quantize";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var p = job.Spec<StageSpec>().Parameters<QuantizeParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var (version, _, source) = await db.OpenVariantAsync(artifacts, p.Version, p.Variant, ct);
        var small = SmallModelConfig.TryRead(source);
        var samples = small is null ? null : await CalibrationSamples.LoadAsync(db, files, p, small, ct);
        var texts = p.Calibration.Length == 0 || small is not null ? null : await CalibrationTexts.LoadAsync(db, files, p.Calibration, source, p.CalibrationRows, p.ComparisonRows, ct);
        var made = new List<NewVariant>();
        foreach (var method in p.Methods.Select(QuantizationMethod.Get))
        {
            var pass = samples?.Fit(Pass(method.Name, p)) ?? Pass(method.Name, p);
            if (texts is not null)
                pass = pass.WithCalibration(source, texts.Tokens);
            var target = Path.Combine(job.WorkFolder, method.Name);
            var report = await Task.Run(() => Run(method, pass, source, target, ct), ct);
            job.Log($"{method.Name}: {report.Quantized} weights quantized, {report.Skipped} left; {report.SourceBytes:N0} → {report.TargetBytes:N0} bytes; logits differ by {report.RelativeL2:P2} (relative L2), argmax agrees in {report.ArgmaxAgreement:P1}.");
            foreach (var note in report.Notes)
                job.Log(note);
            var comparison = texts is null ? null : await Task.Run(() => new VariantComparison().Run(source, target, texts.HeldOut, null, ct), ct);
            if (comparison is not null)
                job.Log(Words(method.Name, comparison));
            var stored = await artifacts.PutFolderAsync(target, ct);
            made.Add(new NewVariant(version.Id, method.Name, method.Precision, stored, p.Variant, Json.Write(new { pass, report, comparison }), job.JobId));
            job.Report((double)made.Count / p.Methods.Count, method.Name);
        }
        await job.CompleteAsync(async kept =>
        {
            foreach (var variant in made)
                await kept.PutVariantAsync(variant, job.Actor, job.Time.GetUtcNow(), ct);
            return new() { ["version"] = p.Version, ["variants"] = string.Join(',', p.Methods) };
        }, ct);
        await hints.ChangedAsync(Areas.Model, version.ModelId);
    }

    public static string Words(string name, ComparisonReport c) => FormattableString.Invariant(
        $"{name} on {c.Rows} held-out texts ({c.Positions:N0} tokens): mean KLD {c.MeanKld.Value:0.0000} [{c.MeanKld.Low:0.0000}, {c.MeanKld.High:0.0000}], same most likely token {c.SameTop.Value:P1}, bits per byte {c.DeltaBitsPerByte.Value:+0.0000;-0.0000;0.0000} [{c.DeltaBitsPerByte.Low:+0.0000;-0.0000;0.0000}, {c.DeltaBitsPerByte.High:+0.0000;-0.0000;0.0000}].");

    private static QuantizationReport Run(QuantizationMethod method, QuantizationPass pass, string source, string target, CancellationToken ct)
    {
        if (method.Name != "int4-prefill")
            return pass.Run(source, target, null, ct);
        // Two passes: the second adds the graph for prompts to what the first made.
        var blocks = $"{target}.blocks";
        try
        {
            var first = pass.Run(source, blocks, null, ct);
            var second = new Int8Prefill().Run(blocks, target, null, ct);
            return first with { TargetBytes = second.TargetBytes, Notes = [.. first.Notes, .. second.Notes], FreshProcess = first.FreshProcess && second.FreshProcess };
        }
        finally
        {
            if (Directory.Exists(blocks))
                Directory.Delete(blocks, recursive: true);
        }
    }

    private static QuantizationPass Pass(string method, QuantizeParameters p)
    {
        var exclude = p.Exclude.Count == 0 ? null : new ExclusionRules(p.Exclude);
        BlockwiseRtn Blocks(int bits) => new(bits, p.BlockSize) { Exclude = exclude };
        var refit = Blocks(4) with { Search = ScaleSearch.Refit };
        return method switch
        {
            "int8" => new DynamicInt8(p.PerChannel, Exclude: exclude),
            "int8-smooth" => new DynamicInt8(p.PerChannel, Exclude: exclude) { Smoothing = 0.5 },
            "int8-static" => new StaticQdq(PerChannel: p.PerChannel, Smooth: 0.5, Exclude: exclude),
            "int8-blocks" => Blocks(8),
            "int4" => Blocks(4),
            "int4-prefill" => Blocks(4) with { Symmetric = true, HeadBits = 4 },
            "int4-refit" => refit,
            "int4-mixed" => refit with { MixedLayers = true },
            "int4-awq" => new CalibratedBlockwise { Rounding = refit, Gptq = false },
            "int4-gptq" => new CalibratedBlockwise { Rounding = refit },
            "int2-awq" => new CalibratedBlockwise { Rounding = refit with { Bits = 2, MixedLayers = true }, Gptq = false },
            "fp16" => new HalfPrecision(Exclude: exclude),
            "bf16" => new HalfPrecision(BFloat16: true, Exclude: exclude),
            _ => throw new ArgumentException($"There is no quantization method '{method}'.", nameof(method)),
        };
    }
}
