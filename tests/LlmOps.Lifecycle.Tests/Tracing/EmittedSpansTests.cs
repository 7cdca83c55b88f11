using System.Diagnostics;
using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Lifecycle.Tests.Tracing;

public sealed class EmittedSpansTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private static Span Step(string trace, string id, string? parent, string kind, string name) => new()
    {
        TraceId = trace, SpanId = id, ParentSpanId = parent, Kind = kind, Name = name, DeploymentName = parent is null ? "support" : null, RevisionName = parent is null ? "support#2" : null, StartedAt = Noon, DurationMs = 250,
        InputTokens = 7, OutputTokens = 3, FirstTokenMs = 125, Input = "hi", Output = "hello", Error = kind == "answer" ? "broke" : null,
    };

    /// <summary>Other tests emit at the same time; a trace is told by its name.</summary>
    private static List<Activity> Listen(string trace, Action act)
    {
        var heard = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = s => s.Name == EmittedSpans.SourceName, Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = a => { lock (heard) if (a.GetTagItem("llmops.trace_id") as string == trace) heard.Add(a); },
        };
        ActivitySource.AddActivityListener(listener);
        act();
        return heard;
    }

    [Fact]
    public void AChat_IsASpanOfTheConventions_WithItsStepsAndTimes()
    {
        var trace = Guid.NewGuid().ToString("N");
        var heard = Listen(trace, () => EmittedSpans.Emit([Step(trace, "2", "1", "generation", "generate"), Step(trace, "1", null, "chat", "support")], withContent: false));
        Assert.Equal(["generation", "chat support"], heard.Select(a => a.DisplayName));
        var (step, chat) = (heard[0], heard[1]);
        Assert.Equal((chat.SpanId, chat.TraceId), (step.ParentSpanId, step.TraceId));
        Assert.Equal((Noon.UtcDateTime, TimeSpan.FromMilliseconds(250)), (chat.StartTimeUtc, chat.Duration));
        var tags = chat.TagObjects.ToDictionary(t => t.Key, t => t.Value);
        Assert.Equal(("chat", "llmops", "support", "support#2"), (tags["gen_ai.operation.name"], tags["gen_ai.provider.name"], tags["gen_ai.request.model"], tags["gen_ai.response.model"]));
        Assert.Equal((7, 3, 0.125), (tags["gen_ai.usage.input_tokens"], tags["gen_ai.usage.output_tokens"], tags["gen_ai.response.time_to_first_chunk"]));
        Assert.DoesNotContain("gen_ai.input.messages", tags.Keys);
        // the tokens are on one span, or whoever adds them up has them twice
        Assert.Null(step.GetTagItem("gen_ai.usage.input_tokens"));
    }

    [Fact]
    public void AnAnswerFromDocuments_HasARetrieval_AndAFailureSaysSo()
    {
        var trace = Guid.NewGuid().ToString("N");
        var heard = Listen(trace, () => EmittedSpans.Emit([Step(trace, "1", null, "ask", "handbook"), Step(trace, "2", "1", "retrieval", "docs/3"), Step(trace, "3", "1", "answer", "extract")], withContent: true));
        Assert.Equal(["retrieval docs/3", "answer", "invoke_workflow support"], heard.Select(a => a.DisplayName));
        Assert.Equal(("docs/3", "hi"), (heard[0].GetTagItem("gen_ai.data_source.id"), heard[0].GetTagItem("gen_ai.retrieval.query.text")));
        Assert.Equal((ActivityStatusCode.Error, "broke"), (heard[1].Status, heard[1].StatusDescription));
    }

    [Fact]
    public void Content_IsThereOnlyWhenItIsAskedFor()
    {
        var trace = Guid.NewGuid().ToString("N");
        var chat = Assert.Single(Listen(trace, () => EmittedSpans.Emit([Step(trace, "1", null, "chat", "support")], withContent: true)));
        Assert.Equal("""[{"role":"user","parts":[{"type":"text","content":"hi"}]}]""", chat.GetTagItem("gen_ai.input.messages"));
        Assert.Equal("""[{"role":"assistant","parts":[{"type":"text","content":"hello"}]}]""", chat.GetTagItem("gen_ai.output.messages"));
    }
}
