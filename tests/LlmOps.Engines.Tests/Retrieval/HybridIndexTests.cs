using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Retrieval;
using LlmOps.Engines.Tests.Checkpoints;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Tests.Retrieval;

public sealed class HybridIndexTests : IDisposable
{
    private const string Guide = """
        # Rollback
        A rollback sends all traffic to the previous revision. It takes effect within seconds.

        # Approval
        The person who requests a promotion cannot approve it. A release manager decides.

        # Quantization
        Four-bit weights are packed in blocks of 32. Dynamic int8 quantizes activations while the model runs.

        ```
        llmops quantize --bits 4
        ```

        # Storage
        Artifacts are stored by the SHA-256 of their content.
        """;

    private readonly TemporaryFolder folder = new();
    private readonly IReadOnlyList<Chunk> chunks = MarkdownChunker.Split("guide.md", Guide);

    private string Model => folder.At("model");

    private string Target => folder.At("index");

    public HybridIndexTests()
    {
        var tokenizer = new BpeTrainer(400).Train(Guide.ToLowerInvariant().Split('\n'));
        tokenizer.Save(Model);
        TinyCheckpoint.Write(Model, new ModelConfig
        {
            VocabSize = tokenizer.VocabularySize, HiddenSize = 32, IntermediateSize = 8, NumHiddenLayers = 1, NumAttentionHeads = 2, NumKeyValueHeads = 1, HeadDim = 2, MaxPositionEmbeddings = 16,
        });
    }

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("How do I roll back to the previous revision?", "Rollback")]
    [InlineData("who approves a promotion", "Approval")]
    [InlineData("quantizing weights to four bits", "Quantization")]
    [InlineData("artifact storage", "Storage")]
    public void Search_FindsThePassage(string query, string heading)
    {
        var report = HybridIndex.Build(chunks, Model, Target);
        using var index = HybridIndex.Open(Target);

        var hits = index.Search(query, 3);

        Assert.Equal((4, 1, 32), (report.Chunks, report.Documents, report.Dimension));
        Assert.True(report.SizeBytes > 1000);
        Assert.Equal(heading, hits[0].Chunk.Heading);
        Assert.Equal(1, hits[0].Bm25Rank);
        Assert.Equal(1.0 / 61 + (hits[0].DenseRank is { } rank ? 1.0 / (60 + rank) : 0), hits[0].Score, 1e-12);
        Assert.Equal(chunks, index.Chunks);
    }

    [Theory]
    [InlineData("")]
    [InlineData("the of and")]
    [InlineData("How can I do what you have?")]
    [InlineData("AND OR NOT (\"[*~^:/ + -")]
    public void Search_TakesAnyTextAsPlainText(string query)
    {
        HybridIndex.Build(chunks, Model, Target);
        using var index = HybridIndex.Open(Target);

        Assert.All(index.Search(query, 10), hit => Assert.Null(hit.Bm25Rank));
    }

    [Fact]
    public void Build_ReplacesTheOldIndexWhole_AndLeavesNothingElse()
    {
        HybridIndex.Build(chunks, Model, Target);
        HybridIndex.Build([chunks[0]], Model, Target);

        using var index = HybridIndex.Open(Target);
        Assert.Equal(chunks[0], Assert.Single(index.Chunks));
        Assert.Equal(["index", "model"], Directory.GetFileSystemEntries(folder.Root).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Build_KeepsTheOldIndex_WhenItFailsOrIsCancelled()
    {
        HybridIndex.Build(chunks, Model, Target);

        Assert.Throws<ArgumentException>(() => HybridIndex.Build([], Model, Target));
        Assert.Throws<ArgumentException>(() => HybridIndex.Build([chunks[0], chunks[0]], Model, Target));
        Assert.Throws<InvalidModelException>(() => HybridIndex.Build(chunks, folder.At("nothing"), Target));
        Assert.Throws<OperationCanceledException>(() => HybridIndex.Build(chunks, Model, Target, new CancellationToken(true)));

        using var index = HybridIndex.Open(Target);
        Assert.Equal(4, index.Chunks.Count);
        Assert.Equal(["index", "model"], Directory.GetFileSystemEntries(folder.Root).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Open_RefusesFolders_ThatHoldNoWholeIndex()
    {
        Assert.Contains("There is no index here", Assert.Throws<InvalidModelException>(() => HybridIndex.Open(folder.Root)).Message, StringComparison.Ordinal);
        HybridIndex.Build(chunks, Model, Target);
        File.AppendAllText(Path.Combine(Target, "chunks.jsonl"), """{"id":"x","document":"x","heading":"","text":"x","start_line":1}""");
        Assert.Contains("do not belong together", Assert.Throws<InvalidModelException>(() => HybridIndex.Open(Target)).Message, StringComparison.Ordinal);
        File.Delete(Path.Combine(Target, "vectors.safetensors"));
        Assert.Equal("vectors.safetensors is missing.", Assert.Throws<InvalidModelException>(() => HybridIndex.Open(Target)).Message);
    }

    [Fact]
    public void Embed_GivesUnitVectorsWithoutTheCommonComponent()
    {
        string[] texts = [.. chunks.Select(c => c.Text)];
        var embedder = TokenEmbedder.FromCheckpoint(Model).Fit(texts);
        var plain = TokenEmbedder.FromCheckpoint(Model);

        Assert.All(texts, t => Assert.Equal(1, embedder.Embed(t).Sum(v => (double)v * v), 1e-5));
        Assert.All(embedder.Embed("  "), v => Assert.Equal(0, v));
        Assert.Equal(embedder.Embed("A Rollback"), embedder.Embed("a rollback"));
        // What all texts share is taken out, so they stand further apart than before.
        Assert.True(MeanCosine(embedder) < MeanCosine(plain) - 0.1, $"{MeanCosine(embedder)} {MeanCosine(plain)}");

        double MeanCosine(TokenEmbedder e) =>
            texts.SelectMany((a, i) => texts.Skip(i + 1).Select(b => e.Embed(a).Zip(e.Embed(b)).Sum(p => (double)p.First * p.Second))).Average();
    }

    [Fact]
    public void From_CitesTheSentenceThatAnswers()
    {
        HybridIndex.Build(chunks, Model, Target);
        using var index = HybridIndex.Open(Target);

        var answer = ExtractiveAnswer.From("Who can approve a promotion?", index.Search("Who can approve a promotion?", 4));

        Assert.True(answer.Found);
        Assert.Equal("The person who requests a promotion cannot approve it. [1]", answer.Text);
        Assert.Equal(("Approval", 1), (answer.Citations.Single().Chunk.Heading, answer.Citations.Single().Number));
    }

    [Theory]
    [InlineData("What is the capital of France?")]
    [InlineData("What about the?")]
    [InlineData("")]
    public void From_SaysSo_WhenNothingMatches(string question)
    {
        HybridIndex.Build(chunks, Model, Target);
        using var index = HybridIndex.Open(Target);

        var answer = ExtractiveAnswer.From(question, index.Search(question, 4));

        Assert.False(answer.Found);
        Assert.Empty(answer.Citations);
        Assert.Equal("Nothing in the indexed documents answers this.", answer.Text);
    }

    [Fact]
    public void From_QuotesCommands_AndSaysSoWithoutHits()
    {
        var hit = new SearchHit(chunks.Single(c => c.Heading == "Quantization"), 1, 1, 1);

        Assert.Contains("`llmops quantize --bits 4` [1]", ExtractiveAnswer.From("llmops quantize bits", [hit]).Text, StringComparison.Ordinal);
        Assert.False(ExtractiveAnswer.From("anything", []).Found);
    }
}
