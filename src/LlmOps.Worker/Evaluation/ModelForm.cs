using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Inference;
using LlmOps.Engines.SmallModels;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Registry;
using LlmOps.Training.SmallModels;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Worker.Evaluation;

/// <summary>A form of a version that can be measured: a variant, or the checkpoint itself.</summary>
public sealed record ModelForm(string Name, string Folder, long SizeBytes)
{
    /// <summary>Not a variant: the checkpoint itself, run by the training framework.</summary>
    public const string Checkpoint = "checkpoint";

    public bool IsCheckpoint => Name == Checkpoint;

    /// <summary>What it is when it is no language model of the transformer kind.</summary>
    public SmallModelConfig? Small => SmallModelConfig.TryRead(Folder);

    public ICausalModel Load() => Small is LstmConfig ? IsCheckpoint ? TorchSmallModel.LoadLstm(Folder) : LstmCausalModel.Load(Folder)
        : Small is { } small ? throw LlmOpsException.Invalid($"This is a {small.Kind}: it reads no texts. Measure it with an evaluate stage and a dataset in samples.")
        : IsCheckpoint ? CheckpointModel.Load(Folder) : OnnxCausalModel.Load(Folder);

    public static async Task<List<ModelForm>> FindAsync(LlmOpsDb db, ArtifactStore artifacts, ModelVersion version, IReadOnlyList<string> names, CancellationToken ct)
    {
        var forms = new List<ModelForm>();
        if (names.Contains(Checkpoint))
            forms.Add(new(Checkpoint, await artifacts.FolderAsync(version.ArtifactDigest, ct), version.SizeBytes));
        var variants = await db.ModelVariants.AsNoTracking().Where(v => v.VersionId == version.Id).OrderBy(v => v.Name).ToListAsync(ct);
        foreach (var variant in variants.Where(v => names.Contains("all") || names.Contains(v.Name)))
            forms.Add(new(variant.Name, await artifacts.FolderAsync(variant.ArtifactDigest, ct), variant.SizeBytes));
        if (names.FirstOrDefault(name => name is not ("all" or Checkpoint) && variants.All(v => v.Name != name)) is { } missing)
            throw LlmOpsException.NotFound($"Variant of {version.Key()}", missing);
        return forms.Count > 0 ? forms : throw LlmOpsException.Invalid($"{version.Key()} has no variant to measure. Put an export-onnx stage before, or measure \"checkpoint\".");
    }
}
