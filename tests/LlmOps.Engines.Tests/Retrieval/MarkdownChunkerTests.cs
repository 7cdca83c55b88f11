using LlmOps.Engines.Retrieval;

namespace LlmOps.Engines.Tests.Retrieval;

public sealed class MarkdownChunkerTests
{
    [Fact]
    public void Split_CutsAtHeadings_AndKeepsTheirPath()
    {
        var chunks = MarkdownChunker.Split("a.md", "intro\n\n# Guide\n\n## First\none\ntwo\n\n## Second ##\nthree\n\n# End\nfour\n");

        Assert.Equal(
        [
            new("a.md#1", "a.md", "", "intro", 1),
            new("a.md#2", "a.md", "Guide › First", "one\ntwo", 6),
            new("a.md#3", "a.md", "Guide › Second", "three", 10),
            new("a.md#4", "a.md", "End", "four", 13),
        ], chunks);
    }

    [Fact]
    public void Split_PacksParagraphs_UpToTheLimit()
    {
        var chunks = MarkdownChunker.Split("a", "a b c\n\nd e\n\nf g h i\n", 5);

        Assert.Equal([("a b c\n\nd e", 1), ("f g h i", 5)], chunks.Select(c => (c.Text, c.StartLine)));
    }

    [Fact]
    public void Split_CutsLongBlocks_BetweenLinesThenWords()
    {
        var chunks = MarkdownChunker.Split("a", "# H\na b\nc d\ne f g h i j k\n", 4);

        Assert.Equal([("a b\nc d", 2), ("e f g h", 4), ("i j k", 4)], chunks.Select(c => (c.Text, c.StartLine)));
    }

    [Fact]
    public void Split_TakesHeadingsInsideFencesForCode()
    {
        var chunk = Assert.Single(MarkdownChunker.Split("a", "# Run\n```\n# not a heading\n\ndotnet run\n```\n"));

        Assert.Equal("```\n# not a heading\n\ndotnet run\n```", chunk.Text);
    }

    [Fact]
    public void Split_KeepsTheSharpOfALanguage() => Assert.Equal("From C#", Assert.Single(MarkdownChunker.Split("a", "# From C#\ntext")).Heading);

    [Theory]
    [InlineData("")]
    [InlineData("\n\n# Only a heading\n\n")]
    public void Split_GivesNothing_WhenThereIsNoText(string markdown) => Assert.Empty(MarkdownChunker.Split("a", markdown));

    [Fact]
    public void Split_LosesNoWord()
    {
        var random = new Random(1);
        var words = Enumerable.Range(0, 2000).Select(i => $"w{i}").ToArray();
        var markdown = string.Concat(words.Select(w => w + random.Next(12) switch { 0 => "\n\n", 1 => "\n", 2 => "\r\n", _ => " " }));

        var chunks = MarkdownChunker.Split("a", markdown, 20);

        Assert.Equal(words, chunks.SelectMany(c => c.Text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)));
        Assert.All(chunks, c => Assert.InRange(c.Text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length, 1, 20));
    }
}
