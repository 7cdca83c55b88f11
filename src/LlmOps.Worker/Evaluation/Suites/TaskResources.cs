using LlmOps.Engines.Evaluation.Generation;
using LlmOps.Engines.Retrieval;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Worker.Judging;

namespace LlmOps.Worker.Evaluation.Suites;

/// <summary>What the tasks of a suite need beside its rows and the model. What is not there is said before the first row is measured.</summary>
public sealed class TaskResources(WorkerSettings settings) : IDisposable
{
    private readonly Dictionary<string, OpenIndex> indexes = [];
    private readonly Dictionary<string, IJudge> judges = [];

    public ModelPrograms Programs => settings.Programs;

    /// <summary>By its key, "name/number".</summary>
    public OpenIndex Index(string key) => indexes[key];

    /// <summary>By its key, "name/number".</summary>
    public IJudge Judge(string key) => judges[key];

    public async Task OpenAsync(LlmOpsDb db, ArtifactStore artifacts, SuiteDocument document, CancellationToken ct)
    {
        EnsurePrograms(document);
        foreach (var key in document.Tasks.Select(t => t.Knowledge).OfType<string>().Distinct())
            indexes[key] = HybridIndex.Open(await artifacts.FolderAsync((await db.IndexBuilds.GetAsync(key, ct)).ArtifactDigest, ct));
        foreach (var key in document.Tasks.Select(t => t.Judge).OfType<string>().Distinct())
            judges[key] = await OpenJudge.OpenAsync(db, artifacts, await db.GetJudgeAsync(key, ct), settings, ct);
    }

    public void Dispose()
    {
        foreach (var index in indexes.Values)
            index.Dispose();
        foreach (var judge in judges.Values)
            judge.Dispose();
    }

    private void EnsurePrograms(SuiteDocument document)
    {
        if (document.Tasks.FirstOrDefault(t => t.Kind == CodeKind.Name) is not { } task)
            return;
        if (Programs == ModelPrograms.Off)
            throw LlmOpsException.Invalid($"The task {task.Name} runs programs that a model wrote, and this worker runs none. Read what their isolation does not cover (docs/reference/metrics.md, Programs), then set Worker__Programs=isolated.");
        if (Programs == ModelPrograms.Isolated && !(ProgramRunner.CanDenyNetwork && ProgramRunner.CanHideProcesses))
            throw LlmOpsException.Invalid($"The task {task.Name} runs programs that a model wrote, and here the system takes neither network nor sight of other processes from them (unshare is missing, or may not make namespaces, as in most containers). Set Worker__Programs=allowed if this worker's own container or account is isolation enough.");
        if (ProgramRunner.FindCommand(task.Interpreter ?? CodeKind.DefaultInterpreter) is null)
            throw LlmOpsException.Invalid($"The interpreter '{task.Interpreter ?? CodeKind.DefaultInterpreter}' of the task {task.Name} is not on this worker's machine. Install it, or name another one.");
    }
}
