namespace LlmOps.Lifecycle.Tracing;

/// <summary>The thumbs of the pages are the assessment of this name: one for each person, and what canaries and preference data are made of.</summary>
public static class Thumbs
{
    public const string Name = "thumbs";

    public static Assessment AsAssessment(Feedback thumb) => new()
    {
        Id = thumb.Id, TraceId = thumb.TraceId, Name = Name, Kind = Assessment.Feedback, ValueJson = thumb.Score > 0 ? "true" : "false", ValueText = thumb.Score > 0 ? "true" : "false",
        SourceType = "HUMAN", SourceId = thumb.PersonName, Rationale = thumb.Comment, CreatedBy = thumb.PersonName, CreatedAt = thumb.At, UpdatedAt = thumb.At,
    };
}
