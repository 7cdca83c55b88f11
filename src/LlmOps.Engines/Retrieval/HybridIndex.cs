using System.Numerics.Tensors;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Text;
using Lucene.Net.Documents;
using Lucene.Net.Index;
using Lucene.Net.Search.Similarities;
using Lucene.Net.Store;

namespace LlmOps.Engines.Retrieval;

/// <summary>
/// An index for search by words (BM25, Robertson and Zaragoza 2009, k₁ 1.2, b 0.75) and by embeddings (exact cosine), joined by
/// reciprocal rank fusion with k = 60 (Cormack, Clarke and Büttcher 2009). One folder, complete in itself.
/// </summary>
public static class HybridIndex
{
    internal const string LuceneFolder = "lucene";
    internal const string ChunksFile = "chunks.jsonl";
    internal const string VectorsFile = "vectors.safetensors";
    internal const string EncoderFolder = "encoder";

    /// <summary>
    /// Builds an index in a temporary folder beside the target and renames it; an index that was there is replaced whole.
    /// </summary>
    /// <param name="chunks">Passages, with distinct ids.</param>
    /// <param name="modelFolder">A checkpoint whose token embeddings are used, or an encoder exported with pooling (<see cref="Onnx.EncoderExport"/>), which is copied into the index.</param>
    /// <param name="targetFolder">Folder to be made.</param>
    /// <param name="ct">Stops the building; nothing is left then.</param>
    /// <exception cref="ArgumentException">There is no passage, or an id is repeated.</exception>
    /// <exception cref="InvalidModelException">The checkpoint is damaged.</exception>
    /// <exception cref="UnsupportedModelException">The checkpoint is of a kind that is not supported.</exception>
    public static IndexReport Build(IReadOnlyList<Chunk> chunks, string modelFolder, string targetFolder, CancellationToken ct = default)
    {
        if (chunks.Count == 0)
            throw new ArgumentException("There is no passage to index.", nameof(chunks));
        if (chunks.CountBy(c => c.Id).FirstOrDefault(c => c.Value > 1).Key is { } repeated)
            throw new ArgumentException($"Passage id '{repeated}' is repeated.", nameof(chunks));
        var target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(targetFolder));
        var temporary = $"{target}.{Guid.NewGuid():N}.tmp";
        try
        {
            System.IO.Directory.CreateDirectory(temporary);
            var encoder = File.Exists(Path.Combine(modelFolder, Onnx.OnnxModel.FileName)) ? EncoderEmbedder.Load(modelFolder) : null;
            using var opened = encoder;
            ITextEmbedder embedder = encoder is null ? TokenEmbedder.FromCheckpoint(modelFolder).Fit([.. chunks.Select(Searchable)]) : encoder;
            WriteVectors(chunks, embedder, temporary, ct);
            embedder.Save(encoder is null ? temporary : Path.Combine(temporary, EncoderFolder));
            WriteWords(chunks, temporary, ct);
            Jsonl.Write(Path.Combine(temporary, ChunksFile), chunks);
            ct.ThrowIfCancellationRequested();
            Replace(temporary, target);
            var size = new DirectoryInfo(target).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length);
            return new IndexReport(chunks.Count, chunks.Select(c => c.Document).Distinct().Count(), embedder.Dimension, size);
        }
        finally
        {
            if (System.IO.Directory.Exists(temporary))
                System.IO.Directory.Delete(temporary, recursive: true);
        }
    }

    /// <summary>Opens an index for searching.</summary>
    /// <exception cref="InvalidModelException">A file is missing or damaged, or the parts do not belong together.</exception>
    public static OpenIndex Open(string folder) => new(folder);

    /// <summary>What a passage is found by: the headings say what the text is about, often in the words of the question.</summary>
    internal static string Searchable(Chunk chunk) => chunk.Heading.Length == 0 ? chunk.Text : $"{chunk.Heading}\n{chunk.Text}";

    /// <summary>The vector at length 1, which cosines are made of; a model may give it so already.</summary>
    internal static float[] Unit(float[] vector)
    {
        var length = TensorPrimitives.Norm<float>(vector);
        if (length > 0 && MathF.Abs(length - 1) > 1e-5f)
            TensorPrimitives.Divide(vector, length, vector);
        return vector;
    }

    private static void WriteVectors(IReadOnlyList<Chunk> chunks, ITextEmbedder embedder, string folder, CancellationToken ct)
    {
        var vectors = new float[chunks.Count * embedder.Dimension];
        foreach (var (i, vector) in embedder.Embed([.. chunks.Select(Searchable)], ct).Index())
            Unit(vector).CopyTo(vectors, i * embedder.Dimension);
        SafetensorsWriter.WriteFloat32(Path.Combine(folder, VectorsFile), [("vectors", [chunks.Count, embedder.Dimension], vectors)]);
    }

    private static void WriteWords(IReadOnlyList<Chunk> chunks, string folder, CancellationToken ct)
    {
        using var directory = FSDirectory.Open(Path.Combine(folder, LuceneFolder));
        using var writer = new IndexWriter(directory, new IndexWriterConfig(EnglishTerms.Version, EnglishTerms.Analyzer) { Similarity = new BM25Similarity() });
        for (var i = 0; i < chunks.Count; i++)
        {
            ct.ThrowIfCancellationRequested();
            writer.AddDocument([new StoredField("row", i), new TextField("text", Searchable(chunks[i]), Field.Store.NO)]);
        }
        writer.ForceMerge(1);
        writer.Commit();
    }

    // A folder cannot replace another in one step: a crash in between leaves no target, which a repeated build mends, never a mixture.
    private static void Replace(string temporary, string target)
    {
        var old = $"{target}.{Guid.NewGuid():N}.old.tmp";
        var hadOld = System.IO.Directory.Exists(target);
        if (hadOld)
            System.IO.Directory.Move(target, old);
        System.IO.Directory.Move(temporary, target);
        if (hadOld)
            System.IO.Directory.Delete(old, recursive: true);
    }
}
