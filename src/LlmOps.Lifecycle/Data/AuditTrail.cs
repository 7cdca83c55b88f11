using System.Text.Json;
using LlmOps.Lifecycle.Identity;

namespace LlmOps.Lifecycle.Data;

public static class AuditTrail
{
    /// <summary>Adds the entry to the change that is about to be saved, so that there is never one without the other.</summary>
    public static void Record(this LlmOpsDb db, Actor actor, string action, string subject, object subjectId, DateTimeOffset now, object? before = null, object? after = null) =>
        db.Audit.Add(new AuditEntry
        {
            At = now, ActorId = actor.Id, ActorName = actor.Name, Action = action, Subject = subject, SubjectId = subjectId.ToString() ?? "",
            Before = before is null ? null : JsonSerializer.Serialize(before, Json.Options),
            After = after is null ? null : JsonSerializer.Serialize(after, Json.Options),
        });
}
