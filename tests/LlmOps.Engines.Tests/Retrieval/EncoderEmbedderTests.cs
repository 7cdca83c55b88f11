using System.Numerics.Tensors;
using System.Text.Json.Nodes;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Retrieval;
using LlmOps.Engines.Tests.Onnx;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Tests.Retrieval;

public sealed class EncoderEmbedderTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly string[] texts = ["the cat sat", "a dog", "", "the cat sat on the mat and the dog ran to the cat in the sun " + new string('x', 60), "sun"];
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public EncoderEmbedderTests()
    {
        TinyEncoder.Write(folder.At("hf"), "bert");
        WriteWordPiece(folder.At("hf"));
        new EncoderExport().Run(folder.At("hf"), Onnx, ct: Ct);
    }

    private string Onnx => folder.At("onnx");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Embed_GivesTheReferencesVectors_InTheTextsOrder_HoweverBatched()
    {
        using var embedder = EncoderEmbedder.Load(Onnx);
        using var reference = ReferenceEncoder.Open(folder.At("hf"));
        var tokenizer = Tokenizer.Load(Onnx);

        var together = embedder.Embed(texts, Ct);

        Assert.Equal((TinyEncoder.Width, 40), (embedder.Dimension, embedder.MaxTokens));
        foreach (var (text, vector) in texts.Zip(together))
        {
            int[] plain = tokenizer.Encode(text), tokens = [2, .. plain[..Math.Min(plain.Length, 38)], 3]; // [CLS] and [SEP] stay when a text is cut
            var expected = reference.Run([(tokens, null)])[0].Sentence!;
            Assert.InRange(expected.Zip(vector, (e, v) => Math.Abs(e - v)).Max(), 0, 1e-5);
            Assert.InRange(embedder.Embed(text).Zip(vector, (a, b) => Math.Abs(a - b)).Max(), 0, 1e-6);
        }
        Assert.True(tokenizer.Encode(texts[3]).Length > 40);
        Assert.True(TensorPrimitives.Dot<float>(together[0], together[1]) < 0.9999);
    }

    [Fact]
    public void Batches_HoldEveryTextOnce_LongestFirst_WithinTheLimit()
    {
        int[][] tokens = [.. new[] { 3, 9, 1, 9, 4, 2, 30 }.Select(n => new int[n])];

        var batches = EncoderEmbedder.Batches(tokens, tokensPerBatch: 20).ToList();

        Assert.Equal([[6], [1, 3], [4, 0, 5, 2]], batches);
        Assert.All(batches.Where(b => b.Count > 1), b => Assert.True(b.Count * b.Max(i => tokens[i].Length) <= 20));
    }

    [Fact]
    public void HybridIndex_FindsByAnEncoder_ThatItCarriesWithIt()
    {
        Chunk[] chunks = [new("1", "a.md", "", "the cat sat on the mat", 1), new("2", "b.md", "", "a dog ran in the sun", 1)];

        var report = HybridIndex.Build(chunks, Onnx, folder.At("index"), Ct);
        Directory.Delete(Onnx, recursive: true);
        using var index = HybridIndex.Open(folder.At("index"));

        Assert.Equal(TinyEncoder.Width, report.Dimension);
        Assert.Equal("2", index.Search("a dog ran in the sun", 1)[0].Chunk.Id);
        Assert.Equal(1, index.Search("a dog ran in the sun", 1)[0].DenseRank);
    }

    [Fact]
    public void Load_RefusesAnEncoderWithoutPooling()
    {
        TinyEncoder.Write(folder.At("plain"), "bert", pooling: null);
        WriteWordPiece(folder.At("plain"));
        new EncoderExport().Run(folder.At("plain"), folder.At("plain-onnx"), ct: Ct);

        Assert.Contains("EncoderExport.Pooling", Assert.Throws<UnsupportedModelException>(() => EncoderEmbedder.Load(folder.At("plain-onnx"))).Message, StringComparison.Ordinal);
    }

    private static void WriteWordPiece(string folder)
    {
        string[] words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "on", "mat", "and", "dog", "ran", "to", "in", "sun",
            .. Enumerable.Range('a', 26).Select(c => ((char)c).ToString()), .. Enumerable.Range('a', 26).Select(c => $"##{(char)c}")];
        var vocabulary = new JsonObject();
        foreach (var (i, word) in words.Index())
            vocabulary[word] = i;
        var special = new JsonArray([.. words[..5].Index().Select(w => (JsonNode)new JsonObject
        {
            ["id"] = w.Index, ["content"] = w.Item, ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false, ["normalized"] = false, ["special"] = true,
        })]);
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), new JsonObject
        {
            ["version"] = "1.0", ["added_tokens"] = special,
            ["normalizer"] = JsonNode.Parse("""{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true}"""),
            ["pre_tokenizer"] = JsonNode.Parse("""{"type": "BertPreTokenizer"}"""),
            ["post_processor"] = JsonNode.Parse("""{"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}"""),
            ["decoder"] = JsonNode.Parse("""{"type": "WordPiece", "prefix": "##", "cleanup": true}"""),
            ["model"] = new JsonObject { ["type"] = "WordPiece", ["unk_token"] = "[UNK]", ["continuing_subword_prefix"] = "##", ["max_input_chars_per_word"] = 100, ["vocab"] = vocabulary },
        }.ToJsonString());
    }
}
