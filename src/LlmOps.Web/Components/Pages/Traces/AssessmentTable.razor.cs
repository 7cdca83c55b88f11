using LlmOps.Lifecycle.Tracing;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Traces;

/// <summary>What people, judges and programs said of a trace.</summary>
public sealed partial class AssessmentTable
{
    private const int Longest = 400;

    [Parameter, EditorRequired] public IReadOnlyList<Assessment> Assessments { get; set; } = [];
    [Parameter, EditorRequired] public IReadOnlyList<Span> Spans { get; set; } = [];

    private string? StepOf(Assessment a) => a.SpanId is { } id ? $" of {Spans.FirstOrDefault(s => s.SpanId == id)?.Name ?? id}" : null;

    private static string Source(Assessment a) => a.SourceType switch { "HUMAN" => "a person", "LLM_JUDGE" => "a judge", _ => "a program" };

    private static string? Shown(Assessment a) => (MlflowAttributes.Unquoted(a.ValueJson) as string ?? a.ValueJson) is { Length: > Longest } text ? text[..Longest] + "…" : MlflowAttributes.Unquoted(a.ValueJson) as string ?? a.ValueJson;
}
