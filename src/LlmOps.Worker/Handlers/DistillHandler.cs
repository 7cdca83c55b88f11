using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using LlmOps.Training;

namespace LlmOps.Worker.Handlers;

public sealed class DistillHandler(DatasetFiles files, ArtifactStore artifacts, TrainingRecorder recorder) : IJobHandler
{
    public string Kind => "distill";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<DistillParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var student = await db.ModelVersions.GetAsync(VersionKey.Parse(p.Version), ct);
        var teacher = await db.ModelVersions.GetAsync(VersionKey.Parse(p.Teacher), ct);
        var dataset = await db.DatasetVersions.GetAsync(p.Corpus.Length > 0 ? p.Corpus : p.Instructions, ct);
        var (studentFolder, teacherFolder) = (await artifacts.FolderAsync(student.ArtifactDigest, ct), await artifacts.FolderAsync(teacher.ArtifactDigest, ct));
        var options = new Distillation { Temperature = p.Temperature, TeacherShare = p.TeacherShare }.With(p, recorder.Threads);
        Func<string, string, ITrainingWatch, CancellationToken, TrainingReport> train;
        if (p.Corpus.Length > 0)
        {
            var texts = (await files.TrainAsync<CorpusText>(dataset, ct)).ConvertAll(r => r.Text);
            var heldOut = (await files.HeldOutAsync<CorpusText>(dataset, ct)).ConvertAll(r => r.Text);
            train = (target, work, progress, token) => options.Run(teacherFolder, studentFolder, texts, heldOut, target, work, progress, token);
        }
        else
        {
            var rows = await files.TrainAsync<PromptCompletion>(dataset, ct);
            var heldOut = await files.HeldOutAsync<PromptCompletion>(dataset, ct);
            train = (target, work, progress, token) => options.Run(teacherFolder, studentFolder, rows, heldOut, target, work, progress, token);
        }
        // What the teacher learned from is in the student now: a leak into the teacher is one into the student.
        var learnedFrom = string.Join(',', $"{student.TrainedOn},{teacher.TrainedOn},{dataset.KeyText()}".Split(',', StringSplitOptions.RemoveEmptyEntries).Distinct());
        await recorder.TrainAndPublishAsync(job, spec, p, student.Model!.Name, "distill", learnedFrom, student.Licence, student.Id, train, ct);
    }
}
