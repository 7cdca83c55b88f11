using LlmOps.Lifecycle.Tracing.Drift;

namespace LlmOps.Lifecycle.Tests.Tracing;

public sealed class RefusalRuleTests
{
    [Theory]
    [InlineData("""{"gen_ai.response.finish_reasons":["content_filter"]}""", true)]
    [InlineData("""{"gen_ai.response.finish_reasons":["stop","CONTENT_FILTER"]}""", true)]
    [InlineData("""{"gen_ai.response.finish_reasons":"[\"content_filter\"]"}""", true)]
    [InlineData("""{"stop_reason":"refusal"}""", true)]
    [InlineData("""{"finish":"SAFETY"}""", true)]
    [InlineData("""{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":null,"refusal":"No."}}]}""", true)]
    [InlineData("""{"choices":[{"finish_reason":"content_filter","message":{"content":""}}]}""", true)]
    [InlineData("""[{"role":"assistant","parts":[{"type":"text","content":"hm"}],"finish_reason":"content_filter"}]""", true)]
    [InlineData("""[{"role":"assistant","content":[{"type":"refusal","refusal":"I won't."}]}]""", true)]
    [InlineData("""{"gen_ai.response.finish_reasons":["stop"]}""", false)]
    [InlineData("""{"choices":[{"finish_reason":"stop","message":{"content":"yes","refusal":null}}]}""", false)]
    [InlineData("""{"choices":[{"finish_reason":"stop","message":{"content":"yes","refusal":""}}]}""", false)]
    [InlineData("""{"policy":"content_filter","document":{"finish_reason":"content_filter"}}""", false)]
    [InlineData("""{"finish_reason":7,"type":3,"refusal":{"a":1}}""", false)]
    [InlineData("content_filter", false)]
    [InlineData("{content_filter", false)]
    [InlineData(null, false)]
    public void ASignal_IsWhatTheDeploymentSays_AndNothingThatOnlyMentionsIt(string? json, bool expected) => Assert.Equal(expected, RefusalRule.IsSignal(json));

    [Theory]
    [InlineData("Das kann ich leider nicht beantworten.", RefusalSource.Phrase)]
    [InlineData("DAS  KANN ICH LEIDER\nNICHT sagen", RefusalSource.Phrase)]
    [InlineData("申し訳ありませんが、お手伝いできません。", RefusalSource.Phrase)]
    [InlineData("Je ne peux pas vous aider, d’accord.", RefusalSource.Phrase)]
    [InlineData("I'm sorry, but I can't help with that.", RefusalSource.English)]
    [InlineData("Das kann ich gern beantworten.", null)]
    [InlineData("", null)]
    public void Phrases_OfThePolicy_KnowAnyLanguage_AndTypographyDecidesNothing(string answer, RefusalSource? expected) =>
        Assert.Equal(expected, RefusalRule.Find(answer, [], ["das kann ich leider nicht", "できません", "pas vous aider, d'accord"]));

    [Fact]
    public void AWord_FarFromTheBeginning_IsNoRefusal_AndASignalComesFirst()
    {
        var late = new string('x', 230) + " das kann ich nicht";
        Assert.Null(RefusalRule.Find(late, [], ["das kann ich nicht"]));
        Assert.Equal(RefusalSource.Phrase, RefusalRule.Find(late[10..], [], ["das kann ich nicht"]));
        Assert.Equal(RefusalSource.Signal, RefusalRule.Find("I can't help with that.", ["""{"finish_reason":"content_filter"}"""], ["can't help"]));
        Assert.Equal(RefusalSource.Signal, RefusalRule.Find(null, ["""{"finish_reason":"content_filter"}"""], []));
        Assert.Equal(RefusalSource.Phrase, RefusalRule.Find("""[{"role":"assistant","content":"Nein danke."}]""", [], ["nein"]));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("  ")]
    public void APhrase_TooShortToMeanAnything_IsRefused_AndSoAreTooMany(string phrase)
    {
        Assert.Equal(["RefusalPhrases"], new DriftPolicy(RefusalPhrases: ["fine", phrase]).Problems().Select(p => p.Field));
        Assert.Equal(["RefusalPhrases"], new DriftPolicy(RefusalPhrases: [.. Enumerable.Repeat("fine", 51)]).Problems().Select(p => p.Field));
        Assert.Empty(new DriftPolicy(RefusalPhrases: [.. Enumerable.Repeat("fine", 50)]).Problems());
        Assert.Equal(["WindowHours", "MostTraces", "Alpha", "KsThreshold"], new DriftPolicy(WindowHours: 0, MostTraces: 49, Alpha: double.NaN, KsThreshold: 2).Problems().Select(p => p.Field));
    }
}
