using System.Text.Json;
using LlmOps.Lifecycle.Tracing;
using Microsoft.Extensions.Configuration;

namespace LlmOps.Lifecycle.Tests.Tracing;

public sealed class RedactSpanTests
{
    private static readonly string Secret = "ghp_" + new string('x', 18) + new string('7', 18);
    private const string Mail = "ada.lovelace@example.org";

    private static Span Kept(string? input, string attributes = "{}", string? user = null) => new()
    {
        TraceId = new string('a', 32), SpanId = new string('b', 16), Name = "chat", Kind = "chat", Input = input, AttributesJson = attributes, UserName = user, InputTokens = 3, Model = "m", CostUsd = 0.5,
    };

    [Fact]
    public void SecretsAndPersonalData_AreHidden_WhereverTheyStand()
    {
        var hidden = RedactSpan.Hide(Kept($"My key is {Secret}, write to {Mail}.", """{"note":"MAIL","server.address":"10.1.2.3","events":[{"attributes":{"exception.message":"KEY"}}]}""".Replace("MAIL", Mail, StringComparison.Ordinal).Replace("KEY", Secret, StringComparison.Ordinal), Mail), new());
        Assert.Equal("My key is [github-token hidden, 40 characters], write to [email hidden, 24 characters].", hidden.Input);
        Assert.Equal("""{"note":"[email hidden, 24 characters]","server.address":"10.1.2.3","events":[{"attributes":{"exception.message":"[github-token hidden, 40 characters]"}}]}""", hidden.AttributesJson);
        Assert.Equal("[email hidden, 24 characters]", hidden.UserName);
        Assert.Equal((3, "m", 0.5), (hidden.InputTokens, hidden.Model, hidden.CostUsd));
    }

    [Fact]
    public void ArgumentsOfAProgram_AreLookedThrough_AndItsNameIsNot()
    {
        var resource = $$$"""{"resource":{"process.executable.name":"{{{Mail}}}","process.command_line":"agent --key {{{Secret}}}","process.command_args":["agent","{{{Secret}}}"]}}""";
        Assert.Equal($$$"""{"resource":{"process.executable.name":"{{{Mail}}}","process.command_line":"agent --key [github-token hidden, 40 characters]","process.command_args":["agent","[github-token hidden, 40 characters]"]}}""",
            RedactSpan.Hide(Kept("x", resource), new()).AttributesJson);
    }

    [Fact]
    public void AConversation_StaysJson()
    {
        var hidden = RedactSpan.Hide(Kept(JsonSerializer.Serialize(new[] { new { role = "user", content = $"\"{Mail}\"\n" } })), new());
        Assert.Equal("\"[email hidden, 24 characters]\"\n", JsonDocument.Parse(hidden.Input!).RootElement[0].GetProperty("content").GetString());
    }

    [Theory]
    [InlineData("[not json, but ada.lovelace@example.org")]
    [InlineData("{\"a\":\"ada.lovelace@example.org\",\"a\":1}")]
    [InlineData("[\"\\ud800 ada.lovelace@example.org\"]")]
    public void WhatOnlyLooksLikeJson_IsHiddenToo(string text) => Assert.DoesNotContain("lovelace", RedactSpan.Hide(Kept(text), new()).Input, StringComparison.Ordinal);

    [Fact]
    public void WhatHasNothingToHide_IsTheSameObject()
    {
        var span = Kept("What is a dog?", """{"a":1}""");
        Assert.Same(span, RedactSpan.Hide(span, new()));
    }

    [Fact]
    public void Rules_CanBeSwitchedOff()
    {
        var text = $"{Secret} {Mail}";
        Assert.Equal(text, RedactSpan.Hide(Kept(text), new(HideSecrets: false, HidePersonalData: false)).Input);
        Assert.Equal($"[github-token hidden, 40 characters] {Mail}", RedactSpan.Hide(Kept(text), new(HidePersonalData: false)).Input);
        Assert.Equal($"{Secret} [email hidden, 24 characters]", RedactSpan.Hide(Kept(text), new(HideSecrets: false)).Input);
    }

    [Fact]
    public void Settings_AreReadOrRefused()
    {
        static TraceSettings Read(params (string, string)[] pairs) => TraceSettings.From(new ConfigurationBuilder().AddInMemoryCollection(pairs.ToDictionary(p => p.Item1, p => (string?)p.Item2)).Build());
        Assert.Equal(new TraceSettings(0, 1, true, true), Read());
        Assert.Equal(new TraceSettings(30, 0.25, true, false), Read(("Traces:RetentionDays", "30"), ("Traces:SampleRatio", "0.25"), ("Traces:Hide", "secrets")));
        Assert.Contains("Traces__SampleRatio", Assert.Throws<InvalidOperationException>(() => Read(("Traces:SampleRatio", "2"))).Message, StringComparison.Ordinal);
        Assert.Contains("Traces__Hide", Assert.Throws<InvalidOperationException>(() => Read(("Traces:Hide", "all"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Sampling_KeepsItsShare_AndATraceWhole()
    {
        var random = new Random(7);
        var ids = Enumerable.Range(0, 4000).Select(_ => Convert.ToHexStringLower(Enumerable.Range(0, 16).Select(_ => (byte)random.Next(256)).ToArray())).ToList();
        // 4,000 draws of a quarter: five standard deviations are 137
        Assert.InRange(ids.Count(new TraceSettings(SampleRatio: 0.25).Keeps), 1000 - 137, 1000 + 137);
        Assert.All(ids, id => Assert.True(new TraceSettings().Keeps(id)));
        Assert.DoesNotContain(ids, new TraceSettings(SampleRatio: 0).Keeps);
    }
}
