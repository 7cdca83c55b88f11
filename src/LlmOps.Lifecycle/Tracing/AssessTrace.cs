using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Tracking;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

/// <param name="Value">Null where there is only an error.</param>
public sealed record NewAssessment(string TraceId, string? SpanId, string? Name, string Kind, AssessmentValue? Value, string? ErrorCode, string? ErrorMessage, string? SourceType, string? SourceId, string? Rationale,
    IReadOnlyDictionary<string, string> Metadata, Guid? Overrides = null);

/// <summary>Null leaves a part as it is.</summary>
public sealed record AssessmentChange(string? Name = null, AssessmentValue? Value = null, string? ErrorCode = null, string? ErrorMessage = null, string? SourceType = null, string? SourceId = null, string? Rationale = null,
    IReadOnlyDictionary<string, string>? Metadata = null);

/// <summary>Says what a person, a judge or a program thinks of a trace, changes it and takes it back. Texts are redacted as those of spans are.</summary>
public sealed class AssessTrace(IDbContextFactory<LlmOpsDb> dbs, GiveFeedback thumbs, TraceSettings settings, Hints hints, TimeProvider time)
{
    public const int LongestName = 250, LongestRationale = 65_535;
    private static readonly string[] Sources = ["HUMAN", "LLM_JUDGE", "CODE"];

    public async Task<Assessment> CreateAsync(NewAssessment given, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Chat);
        var name = EnsureName(given.Name);
        var source = EnsureSource(given.SourceType);
        TrackingLimits.EnsureText(given.SourceId, "source_id", LongestName);
        EnsureTexts(given.ErrorCode, given.ErrorMessage, given.Rationale, given.Metadata);
        if (given.Value is null && given.ErrorCode is null)
            throw LlmOpsException.Invalid("Exactly one of `expectation` or `feedback` should be specified, with a value; a feedback may have an error in its place.");
        if (given.Kind == Assessment.Expectation && given.ErrorCode is not null)
            throw LlmOpsException.Invalid("Expectations cannot have `error` specified.");
        await using var db = await dbs.CreateDbContextAsync(ct);
        if (!await db.Spans.AnyAsync(s => s.TraceId == given.TraceId, ct))
            throw TraceKeys.NotFound(given.TraceId);
        if (given.SpanId is { } span && !await db.Spans.AnyAsync(s => s.TraceId == given.TraceId && s.SpanId == span, ct))
            throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"The trace has no span '{TrackingKeys.Shown(span)}'.");
        if (name == Thumbs.Name && given.Kind == Assessment.Feedback)
            return await ThumbAsync(given.TraceId, source, given.Value, given.Rationale, actor, ct);
        var now = time.GetUtcNow();
        if (given.Overrides is { } old)
        {
            var replaced = await db.Assessments.SingleOrDefaultAsync(a => a.Id == old && a.TraceId == given.TraceId, ct) ?? throw NotFound(old);
            (replaced.IsValid, replaced.UpdatedAt) = (false, now);
        }
        var assessment = new Assessment
        {
            TraceId = given.TraceId, SpanId = given.SpanId, Name = name, Kind = given.Kind, SourceType = source, SourceId = string.IsNullOrEmpty(given.SourceId) ? actor.Name : given.SourceId,
            ErrorCode = Hidden(given.ErrorCode), ErrorMessage = Hidden(given.ErrorMessage), Rationale = Hidden(given.Rationale), MetadataJson = Hidden(Json.Write(given.Metadata))!, Overrides = given.Overrides, CreatedBy = actor.Name, CreatedAt = now, UpdatedAt = now,
        };
        Set(assessment, given.Value);
        db.Assessments.Add(assessment);
        db.Record(actor, "assess", "trace", given.TraceId, now, after: new { assessment.Id, assessment.Name, assessment.Kind });
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Trace, Guid.Empty);
        return assessment;
    }

    public async Task<Assessment> GetAsync(string traceId, Guid id, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        if (await db.Assessments.AsNoTracking().SingleOrDefaultAsync(a => a.Id == id && a.TraceId == traceId, ct) is { } assessment)
            return assessment;
        return await db.Feedback.AsNoTracking().SingleOrDefaultAsync(f => f.Id == id && f.TraceId == traceId, ct) is { } thumb ? Thumbs.AsAssessment(thumb) : throw NotFound(id);
    }

    public async Task<Assessment> ChangeAsync(string traceId, Guid id, AssessmentChange change, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Chat);
        EnsureTexts(change.ErrorCode, change.ErrorMessage, change.Rationale, change.Metadata);
        TrackingLimits.EnsureText(change.SourceId, "source_id", LongestName);
        await using var db = await dbs.CreateDbContextAsync(ct);
        if (await db.Feedback.SingleOrDefaultAsync(f => f.Id == id && f.TraceId == traceId, ct) is { } thumb)
        {
            EnsureOwn(thumb, actor);
            return await ThumbAsync(traceId, "HUMAN", change.Value ?? AssessmentValue.Parse(System.Text.Json.JsonSerializer.SerializeToElement(thumb.Score > 0)), change.Rationale ?? thumb.Comment, actor, ct);
        }
        var assessment = await db.Assessments.SingleOrDefaultAsync(a => a.Id == id && a.TraceId == traceId, ct) ?? throw NotFound(id);
        var now = time.GetUtcNow();
        if (change.Name is not null)
            assessment.Name = EnsureName(change.Name);
        if (assessment.Name == Thumbs.Name && assessment.Kind == Assessment.Feedback)
            throw LlmOpsException.Invalid($"The name '{Thumbs.Name}' is that of the thumbs that people give. Choose another one.");
        if (change.Value is not null)
        {
            Set(assessment, change.Value);
            (assessment.ErrorCode, assessment.ErrorMessage) = (null, null);
        }
        if (change.ErrorCode is not null)
        {
            if (assessment.Kind == Assessment.Expectation)
                throw LlmOpsException.Invalid("Expectations cannot have `error` specified.");
            (assessment.ErrorCode, assessment.ErrorMessage) = (Hidden(change.ErrorCode), Hidden(change.ErrorMessage));
        }
        if (change.SourceType is not null)
            assessment.SourceType = EnsureSource(change.SourceType);
        assessment.SourceId = change.SourceId ?? assessment.SourceId;
        assessment.Rationale = Hidden(change.Rationale) ?? assessment.Rationale;
        if (change.Metadata is not null)
            assessment.MetadataJson = Hidden(Json.Write(change.Metadata))!;
        assessment.UpdatedAt = now;
        db.Record(actor, "change-assessment", "trace", traceId, now, after: new { assessment.Id, assessment.Name });
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Trace, Guid.Empty);
        return assessment;
    }

    /// <summary>What it replaced is valid again.</summary>
    public async Task DeleteAsync(string traceId, Guid id, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Chat);
        await using var db = await dbs.CreateDbContextAsync(ct);
        string name;
        if (await db.Feedback.SingleOrDefaultAsync(f => f.Id == id && f.TraceId == traceId, ct) is { } thumb)
        {
            EnsureOwn(thumb, actor);
            db.Feedback.Remove(thumb);
            name = Thumbs.Name;
        }
        else
        {
            var assessment = await db.Assessments.SingleOrDefaultAsync(a => a.Id == id && a.TraceId == traceId, ct) ?? throw NotFound(id);
            if (assessment.Overrides is { } old && await db.Assessments.SingleOrDefaultAsync(a => a.Id == old, ct) is { } before)
                before.IsValid = true;
            db.Assessments.Remove(assessment);
            name = assessment.Name;
        }
        db.Record(actor, "delete-assessment", "trace", traceId, time.GetUtcNow(), before: new { Id = id, Name = name });
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Trace, Guid.Empty);
    }

    private async Task<Assessment> ThumbAsync(string traceId, string source, AssessmentValue? value, string? comment, Actor actor, CancellationToken ct)
    {
        if (source != "HUMAN" || value?.Json is not ("true" or "false" or "1" or "-1"))
            throw LlmOpsException.Invalid($"The feedback '{Thumbs.Name}' is a person's thumb: its source is HUMAN and its value true or false. Give other feedback another name.");
        await thumbs.GiveAsync(traceId, value.Json is "true" or "1" ? 1 : -1, Hidden(comment), actor, ct);
        await hints.ChangedAsync(Areas.Trace, Guid.Empty);
        await using var db = await dbs.CreateDbContextAsync(ct);
        return Thumbs.AsAssessment(await db.Feedback.AsNoTracking().SingleAsync(f => f.TraceId == traceId && f.PersonId == actor.Id, ct));
    }

    private void Set(Assessment assessment, AssessmentValue? value)
    {
        if (value is null)
            return;
        // What a person wrote may hold what the spans must not.
        var hidden = RedactSpan.Text(value.Json, settings)!;
        (assessment.ValueJson, assessment.ValueText, assessment.Number) = hidden == value.Json ? (value.Json, value.Text, value.Number)
            : (hidden, IndexedText.Head(MlflowAttributes.Unquoted(hidden) as string ?? hidden), null);
    }

    private string? Hidden(string? text) => RedactSpan.Text(text, settings);

    private static void EnsureTexts(string? errorCode, string? errorMessage, string? rationale, IReadOnlyDictionary<string, string>? metadata)
    {
        TrackingLimits.EnsureText(errorCode, "error_code", LongestName);
        TrackingLimits.EnsureText(errorMessage, "error_message", LongestRationale);
        TrackingLimits.EnsureText(rationale, "rationale", LongestRationale);
        if (metadata?.Count > 100)
            throw LlmOpsException.Invalid($"An assessment has at most 100 pieces of metadata; these are {metadata.Count}.");
        foreach (var (key, value) in metadata ?? new Dictionary<string, string>())
        {
            TrackingLimits.EnsureText(TrackingKeys.Required(key, "metadata.key"), "Metadata key", TraceTag.LongestKey);
            TrackingLimits.EnsureText(value, $"Metadata value of '{key}'", TraceTag.LongestValue);
        }
    }

    private static string EnsureName(string? name)
    {
        TrackingLimits.EnsureText(TrackingKeys.Required(name, "assessment_name"), "assessment_name", LongestName);
        return name!.Contains('.', StringComparison.Ordinal) ? throw LlmOpsException.Invalid($"Invalid assessment name '{TrackingKeys.Shown(name)}': it has no '.'.") : name;
    }

    private static string EnsureSource(string? type) => type?.ToUpperInvariant() switch
    {
        null or "" or "SOURCE_TYPE_UNSPECIFIED" => "CODE",
        "AI_JUDGE" => "LLM_JUDGE",
        { } word when Sources.Contains(word) => word,
        _ => throw LlmOpsException.Invalid($"Invalid value '{TrackingKeys.Shown(type)}' for parameter 'source_type' supplied: it is HUMAN, LLM_JUDGE or CODE."),
    };

    private static void EnsureOwn(Feedback thumb, Actor actor)
    {
        if (thumb.PersonId != actor.Id)
            throw new LlmOpsException(ErrorCode.PermissionDenied, $"This thumb is {thumb.PersonName}'s, and only they change it.");
    }

    private static LlmOpsException NotFound(Guid id) => new(ErrorCode.ResourceDoesNotExist, $"Assessment with ID 'a-{id:N}' not found for the trace.");
}
