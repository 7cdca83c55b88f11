using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Training;

namespace LlmOps.Worker.Handlers;

public sealed class DistillHandler(TrainingSources sources, TrainingRecorder recorder) : IJobHandler
{
    public string Kind => "distill";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<DistillParameters>();
        var options = new Distillation { Temperature = p.Temperature, TeacherShare = p.TeacherShare }.With(p, recorder.Threads);
        if (p.Corpus.Length > 0)
        {
            var (from, teacher) = await sources.WithTeacherAsync(job, await sources.ReadAsync<CorpusText>(job, p.Version, p.Corpus, ct), p.Teacher, ct);
            var (texts, heldOut) = (from.Rows.Select(r => r.Text).ToList(), from.HeldOut.Select(r => r.Text).ToList());
            await recorder.TrainAndPublishAsync(job, spec, p, from, (target, work, watch, token) => options.Run(teacher, from.Checkpoint, texts, heldOut, target, work, watch, token), ct);
        }
        else
        {
            var (from, teacher) = await sources.WithTeacherAsync(job, await sources.ReadAsync<PromptCompletion>(job, p.Version, p.Instructions, ct), p.Teacher, ct);
            await recorder.TrainAndPublishAsync(job, spec, p, from, (target, work, watch, token) => options.Run(teacher, from.Checkpoint, from.Rows, from.HeldOut, target, work, watch, token), ct);
        }
    }
}
