namespace LlmOps.Lifecycle.Knowledge;

public sealed class KnowledgeBase
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Name { get; init; }
    public string Description { get; set; } = "";
    public DateTimeOffset CreatedAt { get; init; }
    public List<IndexBuild> Builds { get; init; } = [];
}

/// <summary>A finished index over a frozen corpus. The artifact holds documents, chunks, the BM25 index and the vectors.</summary>
public sealed class IndexBuild
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid KnowledgeBaseId { get; init; }
    public KnowledgeBase? KnowledgeBase { get; init; }
    public int Number { get; init; }
    public required string ArtifactDigest { get; init; }
    public long SizeBytes { get; init; }
    public int Documents { get; init; }
    public int Chunks { get; init; }
    public int Dimensions { get; init; }
    /// <summary>Version whose token embeddings the vectors are made of.</summary>
    public Guid EmbeddingVersionId { get; init; }
    public string ReportJson { get; init; } = "{}";
    public Guid? ProducedByJobId { get; init; }
    public required string CreatedBy { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
}
