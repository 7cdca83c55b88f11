using LlmOps.Lifecycle.Tracing;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Tracing;

public abstract class ReceiveSpansTests(DatabaseProvider provider) : ProductTests(provider)
{
    private static ReceivedSpan Sent(int trace, int span, params (string, object?)[] attributes) =>
        CanonicalSpanTests.Sent(attributes) with { TraceId = $"{trace + 1:x32}", SpanId = $"{span + 1:x16}" };

    [Fact]
    public async Task EverySpan_IsStoredOnce_HoweverOftenAndAtOnceItIsSent()
    {
        // One number in two traces is two spans.
        List<ReceivedSpan> Batch() => [.. Enumerable.Range(0, 40).Select(i => Sent(i % 2, i / 2))];
        await AtOnceAsync(6, _ => Get<ReceiveSpans>().ReceiveAsync(Batch()));
        await Get<ReceiveSpans>().ReceiveAsync([.. Batch(), .. Batch()]);
        Assert.Equal((40, 20), (await CountAsync(db => db.Spans), await CountAsync(db => db.Spans.Where(s => s.TraceId == new string('0', 31) + '1'))));
    }

    [Fact]
    public async Task WhatCannotBeKept_IsRejectedAndTheRestStands()
    {
        var outcome = await Get<ReceiveSpans>().ReceiveAsync(
        [
            Sent(0, 0), Sent(0, 1) with { TraceId = "abc" }, Sent(0, 2) with { SpanId = new string('0', 16) }, Sent(0, 3) with { StartNanos = 0 }, Sent(0, 4) with { EndNanos = ulong.MaxValue }, Sent(0, 5),
        ]);
        Assert.Equal((4, 2), (outcome.Rejected, await CountAsync(db => db.Spans)));
        Assert.Equal("trace_id is not 16 bytes with at least one that is not zero; span_id is not 8 bytes with at least one that is not zero; start_time_unix_nano is missing or out of range.", outcome.Why);
    }

    [Fact]
    public async Task AStoredSpan_HasEverything_AlsoWhatADatabaseDoesNotTake()
    {
        await Product.WriteAsync(db => db.ModelPrices.Add(new() { Model = "gpt*", InputUsd = 2, OutputUsd = 8, CacheReadUsd = 0.5 }));
        await Get<ReceiveSpans>().ReceiveAsync([Sent(0, 0, ("gen_ai.operation.name", "chat"), ("gen_ai.system", "openai"), ("gen_ai.request.model", "gpt-x"), ("gen_ai.usage.input_tokens", 100L), ("gen_ai.usage.output_tokens", 10L),
            ("gen_ai.usage.cache_read.input_tokens", 40L), ("session.id", "s1"), ("gen_ai.prompt", "nul \0 is no text, mail ada@example.org")) with { ParentSpanId = $"{9:x16}", Resource = new Dictionary<string, object?> { ["service.name"] = "shop" } }]);
        var span = await ReadAsync(db => db.Spans.AsNoTracking().SingleAsync());
        Assert.Equal(("chat", "openai", "gpt-x", "s1", "shop", $"{9:x16}"), (span.Kind, span.Provider, span.Model, span.SessionId, span.ServiceName, span.ParentSpanId));
        Assert.Equal((100, 10, 40, null, false), (span.InputTokens, span.OutputTokens, span.CacheReadTokens, span.CacheWriteTokens, span.TokensDisagree));
        // 60 * 2 + 40 * 0.5 + 10 * 8
        Assert.Equal(220e-6, span.CostUsd!.Value, 12);
        Assert.Equal("nul  is no text, mail [email hidden, 15 characters]", span.Input);
        Assert.Equal((1_700_000_000_123, 456_789, 1500.0), (span.StartedAt.ToUnixTimeMilliseconds(), span.StartedNanos, span.DurationMs));
        Assert.Equal((1_700_000_000_123_456_789, 1_700_000_001_623_456_789), (span.StartUnixNanos(), span.EndUnixNanos()));
    }

    [Fact]
    public async Task Steps_OfOneMillisecond_KeepTheirOrder_AndEveryNanosecond()
    {
        // The ids count down while time goes up; the last step lasts 29 days and one nanosecond.
        const ulong Start = 1_700_000_000_123_000_001, Month = 29UL * 24 * 3600 * 1_000_000_000;
        (ulong At, ulong Took)[] steps = [(0, 900_000), (7, 3), (8, 1), (999_998, 1), (999_999, Month + 1)];
        await Get<ReceiveSpans>().ReceiveAsync([.. steps.Select((s, i) => Sent(3, 9 - i) with { StartNanos = Start + s.At, EndNanos = Start + s.At + s.Took, ParentSpanId = i == 0 ? "" : $"{10:x16}" })]);
        var id = $"{4:x32}";
        var page = await Get<ReadTraces>().GetAsync(id);
        var wire = (await Get<ReadLoggedTraces>().SpansAsync([id]))[id].ToList();
        Assert.All([page.Spans, wire], spans => Assert.Equal(steps.Select(s => ((long)(Start + s.At), (long)(Start + s.At + s.Took))), spans.Select(s => (s.StartUnixNanos(), s.EndUnixNanos()))));
        Assert.Equal([0, 7e-6, 8e-6, 0.999998, 0.999999], page.Spans.Select(s => Math.Round(page.BeganMs(s), 9)));
    }

    [Fact]
    public async Task WhatThisServerMeasured_KeepsWhatItsClockKnows()
    {
        var at = DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_123).AddTicks(4567);
        await Get<IngestSpans>().IngestAsync([new Span { TraceId = $"{5:x32}", SpanId = $"{1:x16}", Name = "chat", Kind = "chat", StartedAt = at, DurationMs = 1 }]);
        var span = await ReadAsync(db => db.Spans.AsNoTracking().SingleAsync());
        Assert.Equal((1_700_000_000_123_456_700, 1_700_000_000_124_456_700), (span.StartUnixNanos(), span.EndUnixNanos()));
    }
}

public sealed class ReceiveSpansOnSqlite() : ReceiveSpansTests(DatabaseProvider.Sqlite);

public sealed class ReceiveSpansOnPostgres() : ReceiveSpansTests(DatabaseProvider.Postgres);
