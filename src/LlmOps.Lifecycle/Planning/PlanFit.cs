using System.Text.Json;
using LlmOps.Engines;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Planning;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;

namespace LlmOps.Lifecycle.Planning;

/// <summary>A measured variant beside what the planner would have said about it.</summary>
/// <param name="Note">Why something is not compared; null when everything is.</param>
public sealed record VariantCheck(string Variant, Guid RunId, PlanCheck Check, string? Note);

/// <param name="Machine">Figures of this machine; null when it was never measured.</param>
/// <param name="Checks">Only for a registered version.</param>
public sealed record FitAnswer(FitPlan Plan, MeasuredMachine? Machine, IReadOnlyList<VariantCheck> Checks);

/// <summary>For a form that is being filled in: an answer, or what is missing yet.</summary>
public sealed record FitOutcome(FitAnswer? Answer, string? Problem);

/// <summary>Answers whether a model fits a machine, how fast it would be and how to deploy it; and how right the planner was where the product has measured.</summary>
public sealed class PlanFit(ReadVersion versions, ArtifactStore artifacts, MeasureMachine machines)
{
    /// <summary>How the probe of an evaluation runs a variant: 64 tokens of prompt and 32 new ones, alone.</summary>
    private static readonly Workload ProbeWorkload = new(1, 96, 64);

    public async Task<FitAnswer> AnswerAsync(FitQuestion question, CancellationToken ct = default)
    {
        var version = string.IsNullOrWhiteSpace(question.Version) ? null : await versions.GetAsync(VersionKey.Parse(question.Version), ct);
        var shape = question.ShapeOver(version is not null ? await ShapeAsync(version, ct) : Known(question.Model));
        var machine = await machines.FindAsync(ct);
        try
        {
            var plan = FitPlanner.Plan(shape, question.HardwareOver(Machine(question.Hardware, machine)), question.WorkloadFor(shape));
            return new(plan, machine, version is null || question.HasSizes ? [] : await ChecksAsync(version, shape, machine, ct));
        }
        catch (ArgumentException e)
        {
            throw LlmOpsException.Invalid(e.Message);
        }
    }

    /// <summary>For a form: like <see cref="AnswerAsync"/>, but a question that cannot be read or answered is a line to show and no error.</summary>
    /// <param name="values">As <see cref="FitQuestion.Parse"/> takes them.</param>
    /// <param name="complete">Fills in what was left out.</param>
    /// <param name="ct">Stops.</param>
    public async Task<(FitQuestion Question, FitOutcome Outcome)> TryAnswerAsync(IEnumerable<(string Name, string Value)> values, Func<FitQuestion, FitQuestion> complete, CancellationToken ct = default)
    {
        var question = new FitQuestion();
        try
        {
            question = complete(FitQuestion.Parse(values));
            return (question, new(await AnswerAsync(question, ct), null));
        }
        catch (LlmOpsException e) when (e.Code is ErrorCode.InvalidParameterValue or ErrorCode.ResourceDoesNotExist)
        {
            return (question, new(null, e.Message));
        }
    }

    /// <summary>The shape of a version's checkpoint.</summary>
    public async Task<ModelShape> ShapeAsync(VersionDetail version, CancellationToken ct = default)
    {
        var manifest = await artifacts.ManifestAsync(version.Digest, ct);
        var file = manifest.Files.FirstOrDefault(f => f.Path == ModelConfig.FileName)
            ?? throw LlmOpsException.Invalid($"The checkpoint of {version.Key} has no {ModelConfig.FileName}, so its sizes are not known. Give them instead.");
        // The engine reads folders; making the artifact's own would copy the weights for one small file.
        var folder = Directory.CreateTempSubdirectory("llmops-plan-");
        try
        {
            await using (var source = artifacts.OpenFile(file))
            await using (var target = File.Create(Path.Combine(folder.FullName, ModelConfig.FileName)))
                await source.CopyToAsync(target, ct);
            return ModelShape.Of(ModelConfig.Read(folder.FullName), version.Key.ToString());
        }
        catch (Exception e) when (e is InvalidModelException or UnsupportedModelException)
        {
            throw LlmOpsException.Invalid($"{version.Key} cannot be planned: {e.Message}");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static ModelShape? Known(string? name) => string.IsNullOrWhiteSpace(name) ? null
        : KnownShapes.All.FirstOrDefault(s => s.Name == name) ?? throw LlmOpsException.Invalid($"'{name}' is no known model. Known: {string.Join(", ", KnownShapes.All.Select(s => s.Name))}. Or give its sizes.");

    private static Hardware Machine(string? name, MeasuredMachine? measured) => name switch
    {
        null or "" or FitQuestion.ThisMachine => measured?.Hardware
            ?? throw LlmOpsException.Invalid("This machine was not measured yet. Measure it (it takes two seconds), or name another one."),
        _ => KnownHardware.All.FirstOrDefault(h => h.Name == name)
            ?? throw LlmOpsException.Invalid($"'{name}' is no known machine. Known: {FitQuestion.ThisMachine}, {string.Join(", ", KnownHardware.All.Select(h => h.Name))}."),
    };

    private async Task<IReadOnlyList<VariantCheck>> ChecksAsync(VersionDetail version, ModelShape shape, MeasuredMachine? machine, CancellationToken ct)
    {
        var checks = new List<VariantCheck>();
        foreach (var measured in (await versions.MeasurementsAsync(version, ct)).Variants)
        {
            if (measured.RunId is not { } run || version.Variants.FirstOrDefault(v => v.Name == measured.Variant) is not { } variant)
                continue;
            if (FindPrecision(variant) is not { } precision)
                continue;
            // Without figures of this machine only bytes can be compared, and those are the same on every machine.
            var hardware = machine?.Hardware ?? KnownHardware.All[0];
            var prompt = Math.Min(ProbeWorkload.Prompt, shape.MaxContext);
            var plan = FitPlanner.Plan(precision, shape, hardware, ProbeWorkload with { Prompt = prompt, Context = Math.Min(ProbeWorkload.Context, shape.MaxContext) });
            var found = new MeasuredVariant(await GraphBytesAsync(variant, ct), Value(measured, EvaluationTasks.PeakMemory), Value(measured, EvaluationTasks.Prefill), Value(measured, EvaluationTasks.Decode));
            checks.Add(new(variant.Name, run, PlanCheck.Of(plan, found, machine is not null), machine is null ? "This machine was not measured: speeds cannot be compared." : null));
        }
        return checks;
    }

    /// <summary>The planner's precision of a variant, or null when it plans none like it.</summary>
    private static WeightPrecision? FindPrecision(VariantRow variant)
    {
        if (variant.Precision != "int4")
            return WeightPrecision.All.FirstOrDefault(p => p.Name == variant.Precision);
        using var report = JsonDocument.Parse(variant.ReportJson);
        var block = report.RootElement.TryGetProperty("pass", out var pass) && pass.TryGetProperty("block_size", out var size) ? size.GetInt32() : 32;
        return WeightPrecision.All.FirstOrDefault(p => p.Bits == 4 && p.Block == block);
    }

    /// <summary>Graph and weights, without tokenizer and settings.</summary>
    private async Task<double?> GraphBytesAsync(VariantRow variant, CancellationToken ct)
    {
        var bytes = (await artifacts.ManifestAsync(variant.Digest, ct)).Files.Where(f => f.Path.Contains(".onnx", StringComparison.Ordinal)).Sum(f => f.SizeBytes);
        return bytes > 0 ? bytes : null;
    }

    private static double? Value(VariantMeasurement measured, EvaluationTask task) => measured.Metrics.TryGetValue(task.FullName, out MeasuredMetric? m) ? m.Value : null;
}
