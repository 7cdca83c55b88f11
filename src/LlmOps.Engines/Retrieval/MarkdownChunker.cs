namespace LlmOps.Engines.Retrieval;

/// <summary>
/// Cuts Markdown into passages at headings and, inside a long section, between paragraphs. A passage never reaches over a heading,
/// because what stands under another heading is about something else.
/// </summary>
public static class MarkdownChunker
{
    /// <summary>The passages of a document, in order; sections without text give none.</summary>
    /// <param name="document">Name of the document.</param>
    /// <param name="markdown">Its text.</param>
    /// <param name="maxWords">Most words of a passage; only a single line that is longer is cut inside.</param>
    /// <exception cref="ArgumentException"><paramref name="maxWords"/> is below 1.</exception>
    public static IReadOnlyList<Chunk> Split(string document, string markdown, int maxWords = 160)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxWords, 1);
        var chunks = new List<Chunk>();
        foreach (var section in Sections(markdown))
        {
            foreach (var (text, line) in Pack(section.Blocks, maxWords))
                chunks.Add(new Chunk($"{document}#{chunks.Count + 1}", document, section.Heading, text, line));
        }
        return chunks;
    }

    private sealed record Block(string Text, int Line)
    {
        public int Words { get; } = Text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;
    }

    private static IEnumerable<(string Heading, List<Block> Blocks)> Sections(string markdown)
    {
        var path = new string?[6];
        var blocks = new List<Block>();
        var lines = new List<string>();
        var fence = "";
        var number = 0;
        foreach (var raw in markdown.Split('\n'))
        {
            number++;
            var line = raw.TrimEnd();
            var trimmed = line.TrimStart();
            if (fence.Length == 0 && Level(line) is var level and > 0)
            {
                EndBlock();
                if (blocks.Count > 0)
                    yield return (Heading(path), blocks);
                blocks = [];
                path[level - 1] = Title(line[level..]);
                Array.Clear(path, level, path.Length - level);
                continue;
            }
            // A fence may hold blank lines and lines that look like headings; it is one block.
            if (fence.Length == 0 && (trimmed.StartsWith("```", StringComparison.Ordinal) || trimmed.StartsWith("~~~", StringComparison.Ordinal)))
                fence = trimmed[..3];
            else if (fence.Length > 0 && trimmed.StartsWith(fence, StringComparison.Ordinal))
                fence = "";
            if (line.Length == 0 && fence.Length == 0)
                EndBlock();
            else
                lines.Add(line);
        }
        number++;
        EndBlock();
        if (blocks.Count > 0)
            yield return (Heading(path), blocks);

        void EndBlock()
        {
            if (lines.Count > 0)
                blocks.Add(new Block(string.Join('\n', lines), number - lines.Count));
            lines.Clear();
        }
    }

    private static int Level(string line)
    {
        var level = line.AsSpan().IndexOfAnyExcept('#');
        return level is >= 1 and <= 6 && line[level] == ' ' ? level : 0;
    }

    // Closing marks count only after a space: "## C#" is about C#.
    private static string Title(string text)
    {
        var title = text.Trim();
        var open = title.TrimEnd('#');
        return open.Length == 0 || open[^1] == ' ' ? open.TrimEnd() : title;
    }

    private static string Heading(string?[] path) => string.Join(" › ", path.Where(p => !string.IsNullOrEmpty(p)));

    private static IEnumerable<(string Text, int Line)> Pack(List<Block> blocks, int maxWords)
    {
        var pending = new List<Block>();
        foreach (var block in blocks.SelectMany(b => Cut(b, maxWords)))
        {
            if (pending.Count > 0 && pending.Sum(b => b.Words) + block.Words > maxWords)
            {
                yield return Join(pending);
                pending.Clear();
            }
            pending.Add(block);
        }
        if (pending.Count > 0)
            yield return Join(pending);
    }

    private static (string, int) Join(List<Block> blocks) => (string.Join("\n\n", blocks.Select(b => b.Text)), blocks[0].Line);

    private static IEnumerable<Block> Cut(Block block, int maxWords)
    {
        if (block.Words <= maxWords)
            return [block];
        var lines = block.Text.Split('\n');
        if (lines.Length == 1)
        {
            return block.Text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Chunk(maxWords).Select(words => new Block(string.Join(' ', words), block.Line));
        }
        var parts = new List<Block>();
        var start = 0;
        var words = 0;
        for (var i = 0; i < lines.Length; i++)
        {
            var count = new Block(lines[i], 0).Words;
            if (i > start && words + count > maxWords)
            {
                parts.Add(new Block(string.Join('\n', lines[start..i]), block.Line + start));
                (start, words) = (i, 0);
            }
            words += count;
        }
        parts.Add(new Block(string.Join('\n', lines[start..]), block.Line + start));
        return parts.SelectMany(p => p.Text.Contains('\n', StringComparison.Ordinal) ? [p] : Cut(p, maxWords));
    }
}
