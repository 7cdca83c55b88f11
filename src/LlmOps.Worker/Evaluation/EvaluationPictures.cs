using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Jobs;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Worker.Evaluation;

/// <summary>Stores rows together with the pictures of them, so that neither is there without the other.</summary>
public sealed class EvaluationPictures(ArtifactStore artifacts)
{
    public async Task SaveAsync(JobContext job, EvaluationRun run, MeasuredSamples measured, CancellationToken ct)
    {
        // Files first: a crash before the rows leaves files that nothing names, and the repeated job finds them there.
        var stored = new List<RunPicture>();
        foreach (var picture in measured.Pictures)
        {
            var folder = Directory.CreateDirectory(Path.Combine(job.WorkFolder, "pictures", Guid.NewGuid().ToString("N"))).FullName;
            await File.WriteAllBytesAsync(Path.Combine(folder, RunPicture.FileName), picture.Png, ct);
            stored.Add(new(picture.Title, (await artifacts.PutFolderAsync(folder, ct)).Digest));
            Directory.Delete(folder, recursive: true);
        }
        await job.SaveAsync(async db =>
        {
            db.RowScores.AddRange(measured.Rows);
            var kept = await db.EvaluationRuns.SingleAsync(r => r.Id == run.Id, ct);
            kept.DetailJson = RunPictures.With(kept.DetailJson, stored);
        }, ct);
    }
}
