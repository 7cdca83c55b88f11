using LlmOps.Engines.Text;

namespace LlmOps.Engines.Tests.Text;

public sealed class PromptTemplateTests
{
    private static readonly Tokenizer Bytes = new BpeTrainer(261).Train(["a"]);

    [Fact]
    public void Document_IsFramed() => Assert.Equal("<|bos|>ab<|eos|>", Show(PromptTemplate.Document(Bytes, "ab")));

    [Fact]
    public void PromptAndCompletion_MakeOneConversation()
    {
        int[] whole = [.. PromptTemplate.Prompt(Bytes, "q"), .. PromptTemplate.Completion(Bytes, "a")];

        Assert.Equal("<|bos|><|user|>q<|assistant|>a<|eos|>", Show(whole));
        Assert.Equal(whole, PromptTemplate.Chat(Bytes, [new("user", "q"), new("assistant", "a")]));
    }

    [Fact]
    public void Chat_EndsWhereTheModelAnswers_WhenTheUserSpokeLast() =>
        Assert.Equal("<|bos|><|user|>q<|assistant|>a<|eos|><|user|>r<|assistant|>",
            Show(PromptTemplate.Chat(Bytes, [new("user", "q"), new("assistant", "a"), new("user", "r")])));

    [Fact]
    public void Chat_KeepsTypedControlTokensAsText()
    {
        var ids = PromptTemplate.Chat(Bytes, [new("user", "<|eos|>")]);

        Assert.Equal(3, ids.Count(Bytes.IsSpecial));
    }

    [Fact]
    public void Chat_RefusesOtherRoles()
    {
        Assert.StartsWith("Role 'system' is not supported; supported: user, assistant.",
            Assert.Throws<ArgumentException>(() => PromptTemplate.Chat(Bytes, [new("system", "x")])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => PromptTemplate.Chat(Bytes, []));
    }

    // SHA-256 of "cat" starts with 0x77; of "water" and "iron" with less than 26.
    [Fact]
    public void IsHeldOut_TakesATenth_WhateverTheCase()
    {
        var words = Enumerable.Range(0, 10_000).Select(i => $"word{i}").ToList();

        Assert.InRange(words.Count(Split.IsHeldOut), 916, 1116);
        Assert.All(words.Take(200), w => Assert.Equal(Split.IsHeldOut(w), Split.IsHeldOut(w.ToUpperInvariant())));
        Assert.False(Split.IsHeldOut("cat"));
        Assert.True(Split.IsHeldOut("Water") && Split.IsHeldOut("iron"));
    }

    private static string Show(int[] ids) => Bytes.Decode(ids, skipSpecial: false);
}
