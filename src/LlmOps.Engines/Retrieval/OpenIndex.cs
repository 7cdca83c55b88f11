using System.Numerics.Tensors;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Text;
using Lucene.Net.Index;
using Lucene.Net.Search;
using Lucene.Net.Search.Similarities;
using Lucene.Net.Store;

namespace LlmOps.Engines.Retrieval;

/// <summary>An index that can be searched, by many threads at once.</summary>
public sealed class OpenIndex : IDisposable
{
    private const int FusionConstant = 60;
    private const int MaxTerms = 256;

    private readonly IReadOnlyList<Chunk> chunks;
    private readonly ITextEmbedder embedder;
    private readonly float[] vectors;
    private readonly FSDirectory directory;
    private readonly DirectoryReader reader;
    private readonly IndexSearcher searcher;

    internal OpenIndex(string folder)
    {
        if (!File.Exists(Path.Combine(folder, HybridIndex.ChunksFile)) || !System.IO.Directory.Exists(Path.Combine(folder, HybridIndex.LuceneFolder)))
            throw new InvalidModelException($"There is no index here: {HybridIndex.ChunksFile} or {HybridIndex.LuceneFolder} is missing.");
        try
        {
            chunks = [.. Jsonl.Read(Path.Combine(folder, HybridIndex.ChunksFile)).Select(ReadChunk)];
        }
        catch (InvalidDatasetException e)
        {
            throw new InvalidModelException($"{HybridIndex.ChunksFile}: {e.Message}", e);
        }
        var encoder = Path.Combine(folder, HybridIndex.EncoderFolder);
        embedder = System.IO.Directory.Exists(encoder) ? EncoderEmbedder.Load(encoder) : TokenEmbedder.Load(folder);
        using (var file = SafetensorsFile.Open(Path.Combine(folder, HybridIndex.VectorsFile)))
            vectors = file.ReadFloat32("vectors");
        directory = FSDirectory.Open(Path.Combine(folder, HybridIndex.LuceneFolder));
        try
        {
            reader = DirectoryReader.Open(directory);
        }
        catch (Exception e) when (e is IOException or CorruptIndexException)
        {
            directory.Dispose();
            (embedder as IDisposable)?.Dispose();
            throw new InvalidModelException($"{HybridIndex.LuceneFolder}: {e.Message}", e);
        }
        if (vectors.Length != chunks.Count * embedder.Dimension || reader.NumDocs != chunks.Count)
        {
            Dispose();
            throw new InvalidModelException($"The index's parts do not belong together: {chunks.Count} passages, {reader.NumDocs} in the word index.");
        }
        searcher = new IndexSearcher(reader) { Similarity = new BM25Similarity() };
    }

    /// <summary>What the passages were embedded with; belongs to the index.</summary>
    public ITextEmbedder Embedder => embedder;

    /// <summary>All passages.</summary>
    public IReadOnlyList<Chunk> Chunks => chunks;

    /// <summary>
    /// The best passages, best first; ties keep the order of the documents. Both rankings are read to the depth max(50, k). The query is plain text: no syntax in it
    /// means anything.
    /// </summary>
    /// <param name="query">A question or words.</param>
    /// <param name="k">Most hits wanted.</param>
    /// <exception cref="ArgumentException"><paramref name="k"/> is below 1.</exception>
    public IReadOnlyList<SearchHit> Search(string query, int k = 5)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        var depth = Math.Min(Math.Max(50, k), chunks.Count);
        var byWords = Ranks(ByWords(query, depth));
        var byEmbedding = Ranks(ByEmbedding(query, depth));
        return [.. byWords.Keys.Union(byEmbedding.Keys)
            .Select(row => (Row: row, Bm25: Rank(byWords, row), Dense: Rank(byEmbedding, row)))
            .Select(h => (h.Row, Hit: new SearchHit(chunks[h.Row], Reciprocal(h.Bm25) + Reciprocal(h.Dense), h.Bm25, h.Dense)))
            .OrderByDescending(h => h.Hit.Score).ThenBy(h => h.Row).Take(k).Select(h => h.Hit)];
    }

    /// <summary>Closes the files and, with an encoder, its session.</summary>
    public void Dispose()
    {
        reader.Dispose();
        directory.Dispose();
        (embedder as IDisposable)?.Dispose();
    }

    private List<int> ByWords(string query, int depth)
    {
        var any = new BooleanQuery();
        foreach (var term in EnglishTerms.AskedAbout(query).Take(MaxTerms))
            any.Add(new TermQuery(new Term("text", term)), Occur.SHOULD);
        if (any.Clauses.Count == 0)
            return [];
        return [.. searcher.Search(any, depth).ScoreDocs
            .Select(d => (d.Score, Row: searcher.Doc(d.Doc).GetField("row").GetInt32Value()!.Value))
            .OrderByDescending(d => d.Score).ThenBy(d => d.Row).Select(d => d.Row)];
    }

    private List<int> ByEmbedding(string query, int depth)
    {
        var wanted = HybridIndex.Unit(embedder.Embed(query));
        var cosines = new float[chunks.Count];
        for (var i = 0; i < cosines.Length; i++)
            cosines[i] = TensorPrimitives.Dot<float>(wanted, vectors.AsSpan(i * wanted.Length, wanted.Length));
        // Passages at a right angle or beyond are no neighbours; a query without tokens has none at all.
        return [.. Enumerable.Range(0, cosines.Length).Where(i => cosines[i] > 0).OrderByDescending(i => cosines[i]).ThenBy(i => i).Take(depth)];
    }

    private static Dictionary<int, int> Ranks(List<int> rows) => rows.Index().ToDictionary(r => r.Item, r => r.Index + 1);

    private static int? Rank(Dictionary<int, int> ranks, int row) => ranks.TryGetValue(row, out var rank) ? rank : null;

    private static double Reciprocal(int? rank) => rank is { } r ? 1.0 / (FusionConstant + r) : 0;

    private static Chunk ReadChunk(JsonlRow row) => new(row.Text("id"), row.Text("document"),
        row.Row.TryGetProperty("heading", out var heading) ? heading.GetString() ?? "" : "", row.Text("text"),
        row.Row.TryGetProperty("start_line", out var line) && line.TryGetInt32(out var number) ? number : 1);
}
