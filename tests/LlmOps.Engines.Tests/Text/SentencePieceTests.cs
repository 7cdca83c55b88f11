using System.Text.Json.Nodes;
using LlmOps.Engines.Text;
using LlmOps.TestKit;

namespace LlmOps.Engines.Tests.Text;

/// <summary>
/// Small model files with what SentencePiece itself (0.2, compiled to WebAssembly) computes for some texts, once, by hand: ids of each text, and the text decoded where it differs.
/// </summary>
public sealed class SentencePieceTests : IDisposable
{
    private static readonly JsonNode Root = JsonNode.Parse(File.ReadAllText(RepositoryRoot.Path("tests", "LlmOps.Engines.Tests", "Text", "Reference", "sentencepiece.json")))!;
    private static readonly string[] Texts = [.. Root["texts"]!.AsArray().Select(t => (string)t!)];

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string> Names => [.. Root["models"]!.AsArray().Select(m => (string)m!["name"]!)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Encode_GivesTheIdsOfSentencePiece(string name)
    {
        var tokenizer = Load(name);

        foreach (var (text, ids) in Texts.Zip(Find(name)["ids"]!.AsArray().Select(Ids)))
            Assert.Equal(ids, tokenizer.Encode(text));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Decode_GivesTheTextOfSentencePiece_AtOnceAndTokenByToken(string name)
    {
        var tokenizer = Load(name);

        foreach (var (i, ids) in Find(name)["ids"]!.AsArray().Select(Ids).Index())
        {
            // JavaScript takes a byte order mark off the text.
            var (expected, text) = ((string?)Find(name)["decoded"]![i] ?? Texts[i], tokenizer.Decode(ids));
            Assert.Equal(expected.TrimStart('\uFEFF'), text.TrimStart('\uFEFF'));
            var stream = new IncrementalDecoder(tokenizer);
            Assert.Equal(text, string.Concat(ids.Select(stream.Push)) + stream.Flush());
        }
    }

    [Fact]
    public void Encode_FindsControlTokens_OnlyInTrustedText()
    {
        var tokenizer = Load("llama");
        var plain = tokenizer.Encode("<s>the</s>");

        Assert.DoesNotContain(plain, tokenizer.IsSpecial);
        Assert.Equal([1, tokenizer.TokenId("▁the")!.Value, 2], tokenizer.Encode("<s>the</s>", specials: true));
        Assert.Equal((1, 2, null), (tokenizer.BosId, tokenizer.EosId, tokenizer.PadId));
        Assert.Equal([1, .. plain], tokenizer.Encode("<s>the</s>", specials: false, addSpecial: true));
    }

    [Fact]
    public void Load_ReadsTheFilesBesideTheModel()
    {
        File.WriteAllText(folder.At("tokenizer_config.json"), """{"add_bos_token": false, "add_eos_token": true, "pad_token": "[PAD]", "eos_token": "</s>"}""");
        File.WriteAllText(folder.At("added_tokens.json"), $$"""{"[PAD]": {{Load("llama").VocabularySize}}}""");

        var tokenizer = Load("llama");

        Assert.Equal(tokenizer.VocabularySize - 1, tokenizer.PadId);
        Assert.Equal([tokenizer.PadId!.Value, 2], tokenizer.Encode("[PAD]", specials: true, addSpecial: true));
    }

    [Fact]
    public void Load_PrefersTheTokenizerFile_AndRefusesClassesThatRenumberPieces()
    {
        Load("t5");
        File.WriteAllText(folder.At("tokenizer_config.json"), """{"tokenizer_class": "XLMRobertaTokenizer"}""");
        Assert.Equal("tokenizer_config.json: XLMRobertaTokenizer gives the pieces of tokenizer.model other ids than the file; supported: such a tokenizer saved as tokenizer.json.",
            Assert.Throws<UnsupportedModelException>(() => Tokenizer.Load(folder.Root)).Message);

        Assert.Equal(ReferenceTokenizers.Find("bert").Ids[1], ReferenceTokenizers.Load(folder, ReferenceTokenizers.Find("bert").Json).Encode(ReferenceTokenizers.Texts[1]));
    }

    [Fact]
    public void Load_NamesTheFile_WhenItIsDamaged()
    {
        var whole = Convert.FromBase64String((string)Find("gemma")["model"]!);
        var random = new Random(4);
        for (var round = 0; round < 200; round++)
        {
            var bytes = whole.ToArray();
            for (var changes = random.Next(1, 4); changes > 0; changes--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(folder.At("tokenizer.model"), bytes[..(round % 4 == 0 ? random.Next(bytes.Length) : bytes.Length)]);
            try
            {
                var tokenizer = Tokenizer.Load(folder.Root);
                tokenizer.Decode(tokenizer.Encode("the quick brown 日本", specials: true, addSpecial: true));
            }
            catch (Exception e) when (e is InvalidModelException or UnsupportedModelException)
            {
                Assert.StartsWith("tokenizer.model: ", e.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Load_AcceptsNoDamagedCharacterMap()
    {
        var whole = Convert.FromBase64String((string)Find("t5")["model"]!);
        var random = new Random(6);
        for (var round = 0; round < 60; round++)
        {
            var bytes = whole.ToArray();
            // The map lies at the end of the file.
            for (var changes = 0; changes < 20; changes++)
                bytes[bytes.Length - 1 - random.Next(1000)] = (byte)random.Next(256);
            File.WriteAllBytes(folder.At("tokenizer.model"), bytes);
            try
            {
                var tokenizer = Tokenizer.Load(folder.Root);
                foreach (var text in Texts)
                    tokenizer.Encode(text);
            }
            catch (Exception e) when (e is InvalidModelException or UnsupportedModelException)
            {
                Assert.StartsWith("tokenizer.model: ", e.Message, StringComparison.Ordinal);
            }
        }
    }

    private Tokenizer Load(string name)
    {
        File.WriteAllBytes(folder.At("tokenizer.model"), Convert.FromBase64String((string)Find(name)["model"]!));
        return Tokenizer.Load(folder.Root);
    }

    private static JsonNode Find(string name) => Root["models"]!.AsArray().Single(m => (string)m!["name"]! == name)!;

    private static int[] Ids(JsonNode? ids) => [.. ((string)ids!).Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
}
