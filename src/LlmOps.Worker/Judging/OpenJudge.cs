using LlmOps.Engines.Inference;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Registry;
using LlmOps.Worker.Evaluation;

namespace LlmOps.Worker.Judging;

/// <summary>Makes a saved judge ready to be asked. What it lacks is said before the first row.</summary>
public static class OpenJudge
{
    public static async Task<IJudge> OpenAsync(LlmOpsDb db, ArtifactStore artifacts, Judge judge, WorkerSettings settings, CancellationToken ct)
    {
        var (document, key) = (judge.Document(), new VersionKey(judge.Name, judge.Number).ToString());
        if (document.Kind == JudgeDocument.Local)
        {
            var version = await db.ModelVersions.GetAsync(VersionKey.Parse(document.Version!), ct);
            var form = (await ModelForm.FindAsync(db, artifacts, version, [document.Variant!], ct)).Single();
            return new LocalJudge(key, document, TextGenerator.Load(form.Folder));
        }
        string? secret = null;
        if (document.ApiKey is { } name && (secret = settings.JudgeKey(name)) is null)
            throw LlmOpsException.Invalid($"The judge {key} needs the key '{name}', and this worker has none of that name. Set Judges__Keys__{name} where the worker runs.");
        return new EndpointJudge(key, document, secret);
    }
}
