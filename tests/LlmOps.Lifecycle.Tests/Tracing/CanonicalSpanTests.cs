using System.Text.Json;
using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Lifecycle.Tests.Tracing;

public sealed class CanonicalSpanTests
{
    internal static ReceivedSpan Sent(params (string, object?)[] attributes) => new()
    {
        TraceId = new string('a', 32), SpanId = new string('b', 16), Name = "chat m", StartNanos = 1_700_000_000_123_456_789, EndNanos = 1_700_000_001_623_456_789,
        Attributes = attributes.ToDictionary(a => a.Item1, a => a.Item2),
    };

    private static Span Keep(params (string, object?)[] attributes) => CanonicalSpan.From(Sent(attributes), []);

    [Theory]
    [InlineData("gen_ai.usage.input_tokens")]
    [InlineData("gen_ai.usage.prompt_tokens")]
    [InlineData("llm.token_count.prompt")]
    [InlineData("llm.usage.prompt_tokens")]
    public void InputTokens_HaveManyNames(string name) => Assert.Equal(7, Keep((name, 7L)).InputTokens);

    [Theory]
    [InlineData("gen_ai.usage.output_tokens")]
    [InlineData("gen_ai.usage.completion_tokens")]
    [InlineData("llm.token_count.completion")]
    public void OutputTokens_HaveManyNames(string name) => Assert.Equal(7, Keep((name, 7L)).OutputTokens);

    [Theory]
    [InlineData("gen_ai.usage.cache_read.input_tokens")]
    [InlineData("cache_read_input_tokens")]
    [InlineData("gen_ai.usage.cache_read_input_tokens")]
    [InlineData("cache_read_tokens")]
    [InlineData("input_cached_tokens")]
    [InlineData("details.cache_read_tokens")]
    [InlineData("gen_ai.usage.details.cache_read_tokens")]
    [InlineData("llm.token_count.prompt_details.cache_read")]
    public void CacheRead_HasManyNames(string name) => Assert.Equal((7, null), (Keep((name, 7L)).CacheReadTokens, Keep((name, 7L)).CacheWriteTokens));

    [Theory]
    [InlineData("gen_ai.usage.cache_write.input_tokens")]
    [InlineData("gen_ai.usage.cache_creation.input_tokens")]
    [InlineData("cache_creation.input_tokens")]
    [InlineData("cache_creation_input_tokens")]
    [InlineData("cache_write_tokens")]
    [InlineData("llm.token_count.prompt_details.cache_write")]
    public void CacheWrite_HasManyNames(string name) => Assert.Equal((null, 7), (Keep((name, 7L)).CacheReadTokens, Keep((name, 7L)).CacheWriteTokens));

    [Fact]
    public void ItsOwnName_WinsOverAnother() => Assert.Equal(5, Keep(("gen_ai.usage.prompt_tokens", 9L), ("gen_ai.usage.input_tokens", 5L), ("llm.token_count.prompt", 11L)).InputTokens);

    [Theory]
    [InlineData("gen_ai.system")]
    [InlineData("llm.system")]
    [InlineData("gen_ai.provider.name")]
    public void AProvider_HasManyNames(string name) => Assert.Equal(("anthropic", "claude"), (Keep((name, "anthropic"), ("llm.model_name", "claude")).Provider, Keep((name, "anthropic"), ("llm.model_name", "claude")).Model));

    [Fact]
    public void Counts_AreTakenFromTexts_AndNeverNegative()
    {
        Assert.Equal(12, Keep(("gen_ai.usage.input_tokens", "12")).InputTokens);
        Assert.Equal(12, Keep(("gen_ai.usage.input_tokens", 12.0)).InputTokens);
        Assert.Null(Keep(("gen_ai.usage.input_tokens", -3L)).InputTokens);
        Assert.Null(Keep(("gen_ai.usage.input_tokens", double.NaN)).InputTokens);
        Assert.Equal(int.MaxValue, Keep(("gen_ai.usage.input_tokens", long.MaxValue)).InputTokens);
    }

    [Fact]
    public void Times_AreMillisecondsWithTheirFraction()
    {
        var span = Keep(("gen_ai.response.time_to_first_chunk", 0.25));
        Assert.Equal((1_700_000_000_123, 1500.0, 250.0), (span.StartedAt.ToUnixTimeMilliseconds(), span.DurationMs, span.FirstTokenMs));
        // a clock that was set back makes no negative time
        Assert.Equal(0, CanonicalSpan.From(Sent() with { EndNanos = 5 }, []).DurationMs);
    }

    [Fact]
    public void Messages_InNumberedAttributes_BecomeOneList()
    {
        var span = Keep(("llm.input_messages.1.message.role", "user"), ("llm.input_messages.1.message.content", "hi"), ("llm.input_messages.0.message.role", "system"), ("llm.input_messages.0.message.content", "be kind"),
            ("gen_ai.completion.0.role", "assistant"), ("gen_ai.completion.0.content", "hello"));
        Assert.Equal("""[{"role":"system","content":"be kind"},{"role":"user","content":"hi"}]""", span.Input);
        Assert.Equal("""[{"role":"assistant","content":"hello"}]""", span.Output);
        Assert.Equal("{}", span.AttributesJson);
    }

    [Fact]
    public void Messages_InEvents_BecomeTheConversation()
    {
        var span = CanonicalSpan.From(Sent() with
        {
            Events = [new("gen_ai.user.message", 1, new() { ["content"] = "hi" }), new("gen_ai.choice", 2, new() { ["content"] = "hello", ["finish_reason"] = "stop" })],
        }, []);
        Assert.Equal("""[{"content":"hi","role":"user"}]""", span.Input);
        Assert.Equal("""[{"content":"hello","finish_reason":"stop","role":"assistant"}]""", span.Output);
    }

    [Fact]
    public void RetrievalsAndTools_HaveTheirInputAndOutputInColumns()
    {
        var retrieval = Keep(("gen_ai.operation.name", "retrieval"), ("gen_ai.retrieval.query.text", "dogs"), ("retrieval.documents.0.document.content", "A dog."), ("retrieval.documents.0.document.score", 0.5));
        Assert.Equal(("retrieval", "dogs", """[{"content":"A dog.","score":0.5}]"""), (retrieval.Kind, retrieval.Input, retrieval.Output));
        var tool = Keep(("openinference.span.kind", "TOOL"), ("gen_ai.tool.call.arguments", """{"q":1}"""), ("gen_ai.tool.call.result", "42"));
        Assert.Equal(("execute_tool", """{"q":1}""", "42"), (tool.Kind, tool.Input, tool.Output));
    }

    [Fact]
    public void AFailure_SaysWhatIsKnownOfIt()
    {
        Assert.Null(Keep(("error.type", "timeout")).Error);
        Assert.Equal("timeout", CanonicalSpan.From(Sent(("error.type", "timeout")) with { Failed = true }, []).Error);
        Assert.Equal("too slow", CanonicalSpan.From(Sent(("error.type", "timeout")) with { Failed = true, StatusMessage = "too slow" }, []).Error);
        Assert.Equal("boom", CanonicalSpan.From(Sent() with { Failed = true, Events = [new("exception", 1, new() { ["exception.message"] = "boom" })] }, []).Error);
    }

    [Fact]
    public void Cost_IsOnCallsOfModels_AndNotAgainOnAgentsAroundThem()
    {
        ModelPrice[] prices = [new() { Model = "m*", InputUsd = 1, OutputUsd = 2 }];
        (string, object?)[] tokens = [("gen_ai.request.model", "m1"), ("gen_ai.usage.input_tokens", 10L), ("gen_ai.usage.output_tokens", 5L)];
        Assert.Equal(20e-6, CanonicalSpan.From(Sent([.. tokens, ("gen_ai.operation.name", "chat")]), prices).CostUsd!.Value, 12);
        Assert.Null(CanonicalSpan.From(Sent([.. tokens, ("gen_ai.operation.name", "invoke_agent")]), prices).CostUsd);
    }

    [Fact]
    public void WhatHasNoColumn_IsKeptAsJson()
    {
        var span = CanonicalSpan.From(Sent(("a", 1L), ("b", new List<object?> { true, 0.5, null }), ("c", double.PositiveInfinity)) with { Resource = new Dictionary<string, object?> { ["service.name"] = "shop" }, Scope = "lib" }, []);
        Assert.Equal("shop", span.ServiceName);
        Assert.Equal("""{"a":1,"b":[true,0.5,null],"c":"Infinity","resource":{"service.name":"shop"},"scope":"lib"}""", span.AttributesJson);
        JsonDocument.Parse(span.AttributesJson).Dispose();
    }
}
