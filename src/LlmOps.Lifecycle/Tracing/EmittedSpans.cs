using System.Diagnostics;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>
/// This server's own work as activities, for whoever listens: an exporter sends them on as OpenTelemetry spans with the names of the GenAI conventions. Without a listener
/// nothing is made. Their ids differ from those of the stored trace, which is named in an attribute.
/// </summary>
public static class EmittedSpans
{
    public const string SourceName = "LlmOps";

    /// <summary>The conventions leave prompts and answers out unless somebody asks for them by this variable.</summary>
    public const string ContentVariable = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";

    public static ActivitySource Source { get; } = new(SourceName);

    /// <summary>What was served, after the fact and with the times that were measured; under the request that is being answered.</summary>
    public static void Emit(IReadOnlyCollection<Span> spans, bool? withContent = null)
    {
        if (!Source.HasListeners())
            return;
        var content = withContent ?? string.Equals(Environment.GetEnvironmentVariable(ContentVariable), "true", StringComparison.OrdinalIgnoreCase);
        var above = Activity.Current?.Context ?? default;
        foreach (var root in spans.Where(s => s.ParentSpanId is null))
            Emit(root, spans, above, content, 0);
    }

    private static void Emit(Span span, IReadOnlyCollection<Span> all, ActivityContext above, bool content, int depth)
    {
        var (name, attributes) = Described(span, content);
        var activity = Source.CreateActivity(name, ActivityKind.Internal, above, attributes);
        if (activity is null)
            return;
        activity.SetStartTime(span.StartedAt.UtcDateTime).Start();
        if (span.Error is { } error)
            activity.SetStatus(ActivityStatusCode.Error, error).SetTag("error.type", "_OTHER");
        if (depth < 64)
            foreach (var step in all.Where(s => s.ParentSpanId == span.SpanId))
                Emit(step, all, activity.Context, content, depth + 1);
        activity.SetEndTime(span.StartedAt.UtcDateTime.AddTicks(Math.Max(1, (long)(span.DurationMs * TimeSpan.TicksPerMillisecond))));
        activity.Stop();
    }

    private static (string Name, List<KeyValuePair<string, object?>> Attributes) Described(Span span, bool content)
    {
        List<KeyValuePair<string, object?>> attributes = [new("llmops.trace_id", span.TraceId), new("llmops.step", span.Kind)];
        void Add(string key, object? value)
        {
            if (value is not null)
                attributes.Add(new(key, value));
        }
        // Only the root of a chat is the call of a model: the steps inside it have the same tokens.
        var operation = span.Kind switch { "chat" or "embeddings" or "retrieval" or "text_completion" => span.Kind, "ask" => "invoke_workflow", _ => null };
        Add(GenAiNames.Operation, operation);
        var subject = span.DeploymentName ?? span.Name;
        switch (operation)
        {
            case "retrieval":
                Add("gen_ai.data_source.id", span.Name);
                Add(GenAiNames.Query, content ? span.Input : null);
                break;
            case "invoke_workflow":
                Add("gen_ai.workflow.name", subject);
                break;
            case not null:
                Add(GenAiNames.Provider, "llmops");
                Add(GenAiNames.RequestModel, subject);
                Add(GenAiNames.ResponseModel, span.RevisionName);
                Add(GenAiNames.InputTokens, span.InputTokens);
                Add(GenAiNames.OutputTokens, span.OutputTokens);
                Add(GenAiNames.FirstChunk, span.FirstTokenMs / 1000);
                if (content)
                {
                    Add(GenAiNames.InputMessages, Messages(span.Input, "user"));
                    Add(GenAiNames.OutputMessages, Messages(span.Output, "assistant"));
                }
                break;
        }
        return (operation is null ? span.Kind : $"{operation} {subject}", attributes);
    }

    private static string Messages(string? text, string role) =>
        AttributeText.Json(ConversationText.Turns(text, role).Select(t => (object?)new Dictionary<string, object?>
        {
            ["role"] = t.Role, ["parts"] = new List<object?> { new Dictionary<string, object?> { ["type"] = "text", ["content"] = t.Text } },
        }).ToList());
}
