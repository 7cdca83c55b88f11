namespace LlmOps.Lifecycle.Tracing;

/// <summary>Makes the span that is kept from the one that was sent: names of the conventions, the conversation in its columns, tokens counted once and priced.</summary>
public static class CanonicalSpan
{
    public static Span From(ReceivedSpan sent, IReadOnlyList<ModelPrice> prices)
    {
        var attributes = sent.Attributes;
        MlflowAttributes.Settle(attributes);
        GenAiMessages.Gather(attributes, sent.Events);
        GenAiNames.Settle(attributes);
        var operation = Text(attributes, GenAiNames.Operation);
        var (requested, answered) = (Text(attributes, GenAiNames.RequestModel), Text(attributes, GenAiNames.ResponseModel));
        var use = new TokenUse(AttributeText.Count(Value(attributes, GenAiNames.InputTokens)), AttributeText.Count(Value(attributes, GenAiNames.OutputTokens)),
            AttributeText.Count(Value(attributes, GenAiNames.CacheRead)), AttributeText.Count(Value(attributes, GenAiNames.CacheWrite)));
        // The dated model that answered has the more exact price.
        var price = ModelPrice.Of(answered, prices) ?? ModelPrice.Of(requested, prices);
        var (input, output) = (Take(attributes, GenAiNames.InputMessages, GenAiNames.Query, GenAiNames.ToolArguments), Take(attributes, GenAiNames.OutputMessages, GenAiNames.Documents, GenAiNames.ToolResult));
        var end = Math.Max(sent.EndNanos, sent.StartNanos);
        return new Span
        {
            TraceId = sent.TraceId, SpanId = sent.SpanId, ParentSpanId = sent.ParentSpanId.Length > 0 ? sent.ParentSpanId : null,
            Name = sent.Name, Kind = operation ?? "span", StartedAt = DateTimeOffset.FromUnixTimeMilliseconds((long)(sent.StartNanos / 1_000_000)), StartedNanos = (int)(sent.StartNanos % 1_000_000), DurationMs = (end - sent.StartNanos) / 1e6,
            Input = input, Output = output, Error = sent.Failed ? Failure(sent) : null,
            FirstTokenMs = Value(attributes, GenAiNames.FirstChunk) switch { double s when double.IsFinite(s) => s * 1000, long s => s * 1000.0, _ => null },
            InputTokens = Small(use.Input), OutputTokens = Small(use.Output), CacheReadTokens = Small(use.CacheRead), CacheWriteTokens = Small(use.CacheWrite),
            CostUsd = GenAiNames.IsInference(operation) ? use.CostUsd(price) : null, TokensDisagree = use.Disagree,
            Provider = Text(attributes, GenAiNames.Provider), Model = requested ?? answered, SessionId = Text(attributes, GenAiNames.Conversation), UserName = Text(attributes, GenAiNames.User),
            ServiceName = Text(sent.Resource, "service.name"), AttributesJson = Rest(sent),
        };
    }

    private static string Failure(ReceivedSpan sent)
    {
        if (sent.StatusMessage.Length > 0)
            return sent.StatusMessage;
        var exception = sent.Events.FirstOrDefault(e => e.Name == "exception")?.Attributes;
        return (exception is null ? null : Text(exception, "exception.message") ?? Text(exception, "exception.type")) ?? Text(sent.Attributes, "error.type") ?? "The span says that it failed, and not why.";
    }

    /// <summary>What has no column of its own.</summary>
    private static string Rest(ReceivedSpan sent)
    {
        var rest = new Dictionary<string, object?>(sent.Attributes);
        if (sent.Resource.Count > 0)
            rest["resource"] = sent.Resource;
        if (sent.Scope.Length > 0)
            rest["scope"] = sent.Scope;
        if (sent.Events.Count > 0)
            rest["events"] = sent.Events.Select(e => (object?)new Dictionary<string, object?> { ["name"] = e.Name, ["time_unix_nano"] = (long)Math.Min(e.TimeNanos, long.MaxValue), ["attributes"] = e.Attributes }).ToList();
        if (sent.Links.Count > 0)
            rest["links"] = sent.Links.Select(l => (object?)new Dictionary<string, object?> { ["trace_id"] = l.TraceId, ["span_id"] = l.SpanId }).ToList();
        return rest.Count == 0 ? "{}" : AttributeText.Json(rest);
    }

    private static object? Value(IReadOnlyDictionary<string, object?> attributes, string name) => attributes.GetValueOrDefault(name);

    private static string? Text(IReadOnlyDictionary<string, object?> attributes, string name) => AttributeText.Of(Value(attributes, name)) is { Length: > 0 } text ? text : null;

    /// <summary>The first of these that is there; it is kept in a column and not a second time.</summary>
    private static string? Take(Dictionary<string, object?> attributes, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
            if (Text(attributes, name) is { } text)
            {
                attributes.Remove(name);
                return text;
            }
        return null;
    }

    private static int? Small(long? count) => count is { } n ? (int)Math.Min(n, int.MaxValue) : null;
}
