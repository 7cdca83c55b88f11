using System.Text.Json.Nodes;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Tests.Text;

public sealed class HuggingFaceTokenizerTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string> Names => [.. ReferenceTokenizers.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public void Encode_GivesTheIdsOfHuggingFace(string name)
    {
        var reference = ReferenceTokenizers.Find(name);
        var tokenizer = ReferenceTokenizers.Load(folder, reference.Json);

        Assert.Equal(reference.Around, tokenizer.Encode("", specials: false, addSpecial: true));
        foreach (var (i, text) in ReferenceTokenizers.Texts.Index())
        {
            Assert.Equal(reference.Ids[i], tokenizer.Encode(text, specials: true));
            Assert.Equal(reference.Around.Length + reference.Ids[i].Length, tokenizer.Encode(text, specials: true, addSpecial: true).Length);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Decode_GivesTheTextOfHuggingFace_AtOnceAndTokenByToken(string name)
    {
        var reference = ReferenceTokenizers.Find(name);
        var tokenizer = ReferenceTokenizers.Load(folder, reference.Json);

        foreach (var (ids, text) in reference.Ids.Zip(reference.Decoded))
        {
            Assert.Equal(text, tokenizer.Decode(ids));
            var stream = new IncrementalDecoder(tokenizer);
            Assert.Equal(text, string.Concat(ids.Select(stream.Push)) + stream.Flush());
        }
    }

    // Whoever writes a control token into a text gets its letters.
    [Theory]
    [MemberData(nameof(Names))]
    public void Encode_NeverGivesControlTokens_ForAPlainText(string name)
    {
        var reference = ReferenceTokenizers.Find(name);
        var tokenizer = ReferenceTokenizers.Load(folder, reference.Json);
        var unknown = reference.Json["model"]!["unk_token"]?.GetValue<string>() is { } token ? tokenizer.TokenId(token) : reference.Json["model"]!["unk_id"]?.GetValue<int>();

        foreach (var written in tokenizer.Vocabulary.Where(v => v.Length > 0 && tokenizer.IsSpecial(tokenizer.TokenId(v)!.Value)).ToList())
            Assert.DoesNotContain(tokenizer.Encode($"a {written}{written} b"), id => tokenizer.IsSpecial(id) && id != unknown);
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama3")]
    [InlineData("o200k")]
    [InlineData("deepseek")]
    [InlineData("gemma")]
    public void Decode_GivesBackEveryRandomText(string name)
    {
        var tokenizer = ReferenceTokenizers.Load(folder, ReferenceTokenizers.Find(name).Json);
        var random = new Random(11);
        for (var round = 0; round < 300; round++)
        {
            var text = RandomTexts.Next(random);
            var ids = tokenizer.Encode(text);
            // Gemma's decoder cannot tell a space mark from a space.
            var expected = name == "gemma" ? text.Replace('▁', ' ') : text;
            Assert.Equal(expected, tokenizer.Decode(ids));
            var stream = new IncrementalDecoder(tokenizer);
            Assert.Equal(expected, string.Concat(ids.Select(stream.Push)) + stream.Flush());
        }
    }

    [Fact]
    public void Decode_ShowsEachByteOfABrokenRun_ButAStreamKeepsTheCharactersBeforeIt()
    {
        var tokenizer = ReferenceTokenizers.Load(folder, ReferenceTokenizers.Find("gemma").Json);
        int[] ids = [.. new[] { "a", "<0xC3>", "<0xB1>", "<0xE2>", "<0x82>", "▁the" }.Select(t => tokenizer.TokenId(t)!.Value)];
        var stream = new IncrementalDecoder(tokenizer);

        Assert.Equal("a\uFFFD\uFFFD\uFFFD\uFFFD the", tokenizer.Decode(ids));
        Assert.Equal(["a", "", "ñ", "", "", "\uFFFD the"], ids.Select(stream.Push));
        Assert.Equal("", stream.Flush());
    }

    [Fact]
    public void Push_LeavesOutOnlyTheFirstSpace_WhenTheTokenizerPutItThere()
    {
        var tokenizer = ReferenceTokenizers.Load(folder, ReferenceTokenizers.Find("llama2").Json);
        var stream = new IncrementalDecoder(tokenizer);

        Assert.Equal(["", "the", " the", " ", ""], new[] { "<s>", "▁the", "▁the", "▁", "</s>" }.Select(t => stream.Push(tokenizer.TokenId(t)!.Value)));
    }

    [Fact]
    public void Load_TakesControlTokensFromTheConfiguration()
    {
        var json = ReferenceTokenizers.Find("llama2").Json;
        var quick = (int)json["added_tokens"]!.AsArray().Single(a => (string)a!["content"]! == "quick")!["id"]!;
        File.WriteAllText(folder.At("tokenizer_config.json"), $$$"""{"bos_token": {"content": "<s>", "special": true}, "eos_token": null, "pad_token": null, "added_tokens_decoder": {"{{{quick}}}": {"content": "quick", "special": true} } }""");
        File.WriteAllText(folder.At("special_tokens_map.json"), """{"bos_token": "</s>", "eos_token": "</s>"}""");

        var tokenizer = ReferenceTokenizers.Load(folder, json);

        Assert.Equal((1, 2, null), (tokenizer.BosId, tokenizer.EosId, tokenizer.PadId));
        Assert.True(tokenizer.IsSpecial(quick));
        Assert.False(tokenizer.HasOwnControlTokens);
    }

    [Fact]
    public void Prompt_IsRefused_ForATokenizerWithOtherControlTokens()
    {
        var tokenizer = ReferenceTokenizers.Load(folder, ReferenceTokenizers.Find("llama3").Json);

        Assert.StartsWith("The tokenizer does not have this product's control tokens", Assert.Throws<UnsupportedModelException>(() => PromptTemplate.Prompt(tokenizer, "the")).Message, StringComparison.Ordinal);
        Assert.StartsWith("Only tokenizers that BpeTrainer made can be written", Assert.Throws<UnsupportedModelException>(() => tokenizer.Save(folder.Root)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_LeavesOutReservedIds_OnlyAfterTheLastOrdinaryToken()
    {
        var json = ReferenceTokenizers.Find("gpt2").Json;
        json["model"]!["vocab"]!["<|end|>"] = 300;
        var tokenizer = ReferenceTokenizers.Load(folder, json);
        Assert.Equal((301, "", ""), (tokenizer.VocabularySize, tokenizer.Vocabulary[299], tokenizer.Decode([299])));

        json["model"]!["vocab"]!["late"] = 299;
        Assert.Equal($"tokenizer.json: No token has id {json["model"]!["vocab"]!.AsObject().Count - 2}.", Assert.Throws<InvalidModelException>(() => ReferenceTokenizers.Load(folder, json)).Message);
    }

    // The word cache is shared and has no lock.
    [Fact]
    public void Encode_GivesTheSameIds_OnManyThreads()
    {
        var tokenizer = ReferenceTokenizers.Load(folder, ReferenceTokenizers.Find("o200k").Json);
        var random = new Random(12);
        string[] texts = [.. Enumerable.Range(0, 2000).Select(_ => RandomTexts.Next(random))];
        var expected = Array.ConvertAll(texts, ReferenceTokenizers.Load(folder, ReferenceTokenizers.Find("o200k").Json).Encode);

        var encoded = texts.AsParallel().AsOrdered().WithDegreeOfParallelism(8).Select(tokenizer.Encode).ToArray();

        Assert.Equal(expected, encoded);
    }
}
