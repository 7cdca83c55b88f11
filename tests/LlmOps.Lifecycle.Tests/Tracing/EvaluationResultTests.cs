using LlmOps.Lifecycle.Tracing;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Tracing;

public abstract class EvaluationResultTests(DatabaseProvider provider) : ProductTests(provider)
{
    private const ulong Start = 1_700_000_000_000_000_000;

    private static ReceivedSpan Judged(params ReceivedEvent[] events) => new()
    {
        TraceId = $"{7:x32}", SpanId = $"{8:x16}", Name = "chat", StartNanos = Start, EndNanos = Start + 5, Resource = new Dictionary<string, object?> { ["service.name"] = "judge" }, Events = events,
    };

    private static ReceivedEvent Result(params (string Key, object? Value)[] attributes) => new("gen_ai.evaluation.result", Start + 1_000_000, attributes.ToDictionary(a => a.Key, a => a.Value));

    [Fact]
    public async Task AnEvaluation_BecomesFeedbackOnItsSpan_HoweverOftenItIsSent()
    {
        var span = Judged(
            Result(("gen_ai.evaluation.name", "relevance"), ("gen_ai.evaluation.score.value", 0.75), ("gen_ai.evaluation.score.label", "good"), ("gen_ai.evaluation.explanation", "Mail rosa@example.org about it.")),
            Result(("gen_ai.evaluation.name", "tone"), ("gen_ai.evaluation.score.label", "kind")),
            Result(("gen_ai.evaluation.score.value", 1.0)), Result(("gen_ai.evaluation.name", "empty")));
        await Get<ReceiveSpans>().ReceiveAsync([span]);
        await Get<ReceiveSpans>().ReceiveAsync([Judged([.. span.Events])]);
        var said = await ReadAsync(db => db.Assessments.AsNoTracking().OrderBy(a => a.Name).ToListAsync());
        Assert.Equal(["relevance", "tone"], said.Select(a => a.Name));
        Assert.All(said, a => Assert.Equal((span.TraceId, span.SpanId, Assessment.Feedback, "CODE", "judge"), (a.TraceId, a.SpanId, a.Kind, a.SourceType, a.SourceId)));
        Assert.Equal(("0.75", 0.75, "{\"label\":\"good\"}"), (said[0].ValueJson, said[0].Number, said[0].MetadataJson));
        Assert.Equal(("\"kind\"", (double?)null, "kind"), (said[1].ValueJson, said[1].Number, said[1].ValueText));
        Assert.DoesNotContain("rosa@example.org", said[0].Rationale, StringComparison.Ordinal);
        Assert.Equal(1_700_000_000_001, said[0].CreatedAt.ToUnixTimeMilliseconds());
    }
}

public sealed class SqliteEvaluationResultTests() : EvaluationResultTests(DatabaseProvider.Sqlite);

public sealed class PostgresEvaluationResultTests() : EvaluationResultTests(DatabaseProvider.Postgres);
