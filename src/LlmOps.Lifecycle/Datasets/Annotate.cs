using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Datasets;

/// <summary>One person's answer to one preference row. Answering again replaces the answer; undo takes it back.</summary>
public sealed class Annotate(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    private static readonly string[] Answers = ["chosen", "rejected", "tie", "skip"];

    public async Task AnswerAsync(Guid datasetVersionId, string split, int row, string preferred, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Annotate);
        if (!Answers.Contains(preferred))
            throw LlmOpsException.Invalid($"An answer is one of {string.Join(", ", Answers)}.");
        if (split is not ("train" or "held-out"))
            throw LlmOpsException.Invalid("A split is train or held-out.");
        await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            if (!await db.DatasetVersions.AnyAsync(v => v.Id == datasetVersionId && row >= 0 && row < (split == "train" ? v.TrainRows : v.HeldOutRows), ct))
                throw LlmOpsException.NotFound("Row", $"{split}/{row}");
            var now = time.GetUtcNow();
            var answer = await db.Annotations.SingleOrDefaultAsync(a => a.DatasetVersionId == datasetVersionId && a.Split == split && a.Row == row && a.PersonId == actor.Id, ct);
            var before = answer?.Preferred;
            if (answer is null)
                db.Annotations.Add(answer = new Annotation { DatasetVersionId = datasetVersionId, Split = split, Row = row, Preferred = preferred, PersonId = actor.Id, PersonName = actor.Name });
            answer.Preferred = preferred;
            answer.At = now;
            db.Record(actor, "annotate", "dataset-row", $"{datasetVersionId}:{split}/{row}", now, before, preferred);
            await db.SaveChangesAsync(ct);
            return true;
        });
        await hints.ChangedAsync(Areas.Dataset, datasetVersionId);
    }

    public async Task UndoAsync(Guid datasetVersionId, string split, int row, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Annotate);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var answer = await db.Annotations.SingleOrDefaultAsync(a => a.DatasetVersionId == datasetVersionId && a.Split == split && a.Row == row && a.PersonId == actor.Id, ct)
            ?? throw LlmOpsException.NotFound("Your answer to row", $"{split}/{row}");
        db.Annotations.Remove(answer);
        db.Record(actor, "undo-annotation", "dataset-row", $"{datasetVersionId}:{split}/{row}", time.GetUtcNow(), answer.Preferred);
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Dataset, datasetVersionId);
    }
}
