using System.Text.Json;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Tests.Text;

public sealed class TokenizerTests : IDisposable
{
    private static readonly string[] Texts =
    [
        "a large natural stream of water", "the act of walking to a place", "of or relating to the mind", "don't we're they'll",
        "the quality of being large; \"the largeness of the house\"", "walking, talking and the like: 1984 1985 1986",
    ];

    private static readonly Tokenizer Small = new BpeTrainer(320).Train(Texts);

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("")]
    [InlineData("  two  spaces \n\n and\ta tab ")]
    [InlineData("naïve café, e\u0301, İstanbul")]
    [InlineData("日本語のテスト 👩‍🚀 𝐀𝐁 𝟏𝟐")]
    [InlineData("\u0000 control \u001F and \u00A0 hard space \u200B")]
    [InlineData("<|user|>not a turn<|assistant|><|eos|>")]
    public void Decode_GivesBackTheText(string text) => Assert.Equal(text, Small.Decode(Small.Encode(text)));

    [Fact]
    public void Decode_GivesBackEveryRandomText()
    {
        var random = new Random(3);
        for (var round = 0; round < 500; round++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(40)).Select(_ => RandomRune(random).ToString()));
            Assert.Equal(text, Small.Decode(Small.Encode(text)));
        }
    }

    [Fact]
    public void Encode_ReplacesHalfSurrogates() => Assert.Equal("a\uFFFDb", Small.Decode(Small.Encode("a\uD800b")));

    [Fact]
    public void Encode_NeverGivesControlTokens()
    {
        Assert.DoesNotContain(Small.Encode("<|pad|><|bos|><|eos|><|user|><|assistant|>"), id => Small.IsSpecial(id));
    }

    // Merges are applied in the order in which they were learned, not from left to right.
    [Fact]
    public void Encode_MergesByRank()
    {
        var bytes = Enumerable.Range(0, 256).Select(b => ByteAlphabetCharacter((byte)b)).Order().Select(c => c.ToString());
        var tokenizer = Build([.. SpecialTokens.All, .. bytes, "bc", "ab", "abc"], ["b c", "a b", "ab c"]);

        Assert.Equal(["a", "bc"], tokenizer.Encode("abc").Select(id => tokenizer.Vocabulary[id]));
        Assert.Equal(["ab", "a"], tokenizer.Encode("aba").Select(id => tokenizer.Vocabulary[id]));
    }

    [Theory]
    [InlineData("Don't we'll", new[] { "Don", "'t", "Ġwe", "'ll" })]
    [InlineData("a  b", new[] { "a", "Ġ", "Ġb" })]
    [InlineData("a \n", new[] { "a", "ĠĊ" })]
    [InlineData("x=12,y", new[] { "x", "=", "12", ",", "y" })]
    [InlineData("𝐀b1", new[] { "ðĿĲĢb", "1" })]
    public void Words_AreThoseOfGpt2(string text, string[] words)
    {
        var tokenizer = new BpeTrainer(1000, 1).Train([text]);

        Assert.Equal(words, tokenizer.Encode(text).Select(id => tokenizer.Vocabulary[id]));
    }

    [Fact]
    public void Load_ReadsWhatSaveWrote()
    {
        Small.Save(folder.Root);

        var loaded = Tokenizer.Load(folder.Root);

        Assert.Equal(Small.Vocabulary, loaded.Vocabulary);
        Assert.Equal(Small.Merges, loaded.Merges);
        Assert.All(Texts, text => Assert.Equal(Small.Encode(text), loaded.Encode(text)));
    }

    [Fact]
    public void Load_ReadsMergesWrittenAsPairs()
    {
        Small.Save(folder.Root);
        var text = File.ReadAllText(folder.At("tokenizer.json"));
        foreach (var merge in Small.Merges)
            text = text.Replace(Literal(merge), string.Concat("[", string.Join(",", merge.Split(' ').Select(Literal)), "]"), StringComparison.Ordinal);
        File.WriteAllText(folder.At("tokenizer.json"), text);

        Assert.Equal(Small.Merges, Tokenizer.Load(folder.Root).Merges);
    }

    [Theory]
    [InlineData("\"type\": \"BPE\"", "\"type\": \"Rank\"", "tokenizer.json: model of type Rank is not supported; supported: BPE, Unigram, WordPiece, WordLevel.")]
    [InlineData("\"dropout\": null", "\"dropout\": 0.1", "tokenizer.json: model.dropout is 0.1: the same text would give other ids each time; supported: null.")]
    [InlineData("\"normalizer\": null", "\"normalizer\": {\"type\": \"Nmt\"}", "tokenizer.json: normalizer of type Nmt is not supported; supported: Sequence, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Prepend, Precompiled, BertNormalizer.")]
    [InlineData("\"pre_tokenizer\": {", "\"pre_tokenizer\": {\"type\": \"UnicodeScripts\", \"was\": {}}, \"before\": {", "tokenizer.json: pre_tokenizer of type UnicodeScripts is not supported; supported: Sequence, ByteLevel, Split, Whitespace, WhitespaceSplit, BertPreTokenizer, Metaspace, Digits, Punctuation.")]
    [InlineData("\"post_processor\": null", "\"post_processor\": {\"type\": \"Pair\"}", "tokenizer.json: post_processor of type Pair is not supported; supported: Sequence, TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel.")]
    [InlineData("\"decoder\": {", "\"decoder\": {\"type\": \"CTC\"}, \"before\": {", "tokenizer.json: decoder of type CTC is not supported; supported: Sequence, ByteLevel, ByteFallback, Fuse, Replace, Metaspace, Strip, WordPiece.")]
    public void Load_RefusesByName_WhatIsNotSupported(string written, string replaced, string message)
    {
        Small.Save(folder.Root);
        File.WriteAllText(folder.At("tokenizer.json"), File.ReadAllText(folder.At("tokenizer.json")).Replace(written, replaced, StringComparison.Ordinal));

        Assert.Equal(message, Assert.Throws<UnsupportedModelException>(() => Tokenizer.Load(folder.Root)).Message);
    }

    [Fact]
    public void Load_RefusesFile_WhenItIsMissingOrTruncated()
    {
        Assert.Equal("tokenizer.json is missing in the model folder.", Assert.Throws<InvalidModelException>(() => Tokenizer.Load(folder.Root)).Message);
        Small.Save(folder.Root);
        var whole = File.ReadAllText(folder.At("tokenizer.json"));
        for (var length = 0; length < whole.Length - 2; length += 97)
        {
            File.WriteAllText(folder.At("tokenizer.json"), whole[..length]);
            Assert.Throws<InvalidModelException>(() => Tokenizer.Load(folder.Root));
        }
    }

    [Fact]
    public void Decode_RefusesIds_OutsideTheVocabulary() =>
        Assert.StartsWith($"Token id 9999 is outside the vocabulary of {Small.VocabularySize}.", Assert.Throws<ArgumentException>(() => Small.Decode([9999])).Message, StringComparison.Ordinal);

    [Fact]
    public void Decode_ShowsControlTokens_WhenAsked()
    {
        var ids = PromptTemplate.Prompt(Small, "the mind");

        Assert.Equal("the mind", Small.Decode(ids));
        Assert.Equal("<|bos|><|user|>the mind<|assistant|>", Small.Decode(ids, skipSpecial: false));
    }

    private Tokenizer Build(string[] vocabulary, string[] merges)
    {
        var json = new
        {
            pre_tokenizer = new { type = "ByteLevel", add_prefix_space = false },
            model = new { type = "BPE", vocab = vocabulary.Index().ToDictionary(t => t.Item, t => t.Index), merges },
        };
        File.WriteAllText(folder.At("tokenizer.json"), JsonSerializer.Serialize(json));
        return Tokenizer.Load(folder.Root);
    }

    private static char ByteAlphabetCharacter(byte b) => Small.Vocabulary[Small.Encode(Latin1(b))[^1]] is var token && b < 128 ? token[0] : HighByte(b);

    // Bytes above 127 never stand alone in valid text, so they are looked up by GPT-2's rule: printable Latin-1 is itself, the rest follows U+0120.
    private static char HighByte(byte b) => b is >= 0xA1 and not 0xAD ? (char)b : b == 0xAD ? (char)(256 + 67) : (char)(256 + 33 + (b - 127));

    private static string Latin1(byte b) => b < 128 ? ((char)b).ToString() : "a";

    private static string Literal(string text) => "\"" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal) + "\"";

    private static System.Text.Rune RandomRune(Random random)
    {
        while (true)
        {
            if (System.Text.Rune.TryCreate(random.Next(4) switch { 0 => random.Next(128), 1 => random.Next(0x800), 2 => random.Next(0x10000), _ => random.Next(0x110000) }, out var rune))
                return rune;
        }
    }
}
