using LlmOps.Lifecycle.Tracing;
using LlmOps.TestKit;

namespace LlmOps.Lifecycle.Tests.Tracing;

public abstract class SessionTests(DatabaseProvider provider) : ProductTests(provider)
{
    private Span Call(int trace, string session, string input, string output, int minute, string? error = null) => new()
    {
        TraceId = $"{trace:x32}", SpanId = $"{trace:x16}", Name = "chat", Kind = "chat", SessionId = session, Model = "small", StartedAt = Product.Clock.GetUtcNow().AddMinutes(minute), DurationMs = 5,
        Input = input, Output = output, InputTokens = 10, OutputTokens = 5, CostUsd = 0.25, Error = error,
    };

    [Fact]
    public async Task AConversation_IsReadOnce_AcrossItsTraces()
    {
        await Get<IngestSpans>().IngestAsync(
        [
            Call(1, "walk", """[{"role":"system","content":"Be kind."},{"role":"user","content":"Is it far?"}]""", "A mile.", 0),
            Call(2, "walk", """[{"role":"system","content":"Be kind."},{"role":"user","content":"Is it far?"},{"role":"assistant","content":"A mile."},{"role":"user","content":"Uphill?"}]""", "No.", 1),
            new Span { TraceId = $"{2:x32}", SpanId = "00000000000000ff", ParentSpanId = $"{2:x16}", Name = "tool", Kind = "execute_tool", SessionId = "walk", StartedAt = Product.Clock.GetUtcNow().AddMinutes(1), DurationMs = 1, Input = "{}", Output = "{}" },
            Call(3, "talk", "Hello", "Hello.", 5, "It broke."),
        ]);
        await Get<GiveFeedback>().GiveAsync($"{2:x32}", 1, null, Product.Alice);
        var list = await Get<ReadSessions>().ListAsync(null, 0, 10);
        Assert.Equal(["talk", "walk"], list.Rows.Select(r => r.Id));
        Assert.Equal((1, 1, 15L, 0.25), (list.Rows[0].Traces, list.Rows[0].Failed, list.Rows[0].Tokens, list.Rows[0].CostUsd));
        Assert.Equal((2, 0, 30L, 0.5), (list.Rows[1].Traces, list.Rows[1].Failed, list.Rows[1].Tokens, list.Rows[1].CostUsd));
        Assert.Equal(["walk"], (await Get<ReadSessions>().ListAsync("WAL", 0, 10)).Rows.Select(r => r.Id));
        var walk = await Get<ReadSessions>().GetAsync("walk");
        Assert.Equal(["system: Be kind.", "user: Is it far?", "assistant: A mile.", "user: Uphill?", "assistant: No."], walk.Turns.SelectMany(t => t.Asked.Concat(t.Answered)).Select(t => $"{t.Role}: {t.Text}"));
        Assert.Equal([0, 1], walk.Turns.Select(t => t.ThumbsUp));
        Assert.Equal("It broke.", Assert.Single((await Get<ReadSessions>().GetAsync("talk")).Turns).Error);
        await Assert.ThrowsAsync<LlmOpsException>(() => Get<ReadSessions>().GetAsync("none"));
    }
}

public sealed class SqliteSessionTests() : SessionTests(DatabaseProvider.Sqlite);

public sealed class PostgresSessionTests() : SessionTests(DatabaseProvider.Postgres);
