namespace LlmOps.Engines.Retrieval;

/// <summary>A passage that is found and cited as one.</summary>
/// <param name="Id">Document and running number, for example <c>guides/rag.md#3</c>; the same text always gives the same ids.</param>
/// <param name="Document">Name of the document, as given.</param>
/// <param name="Heading">Path of headings, for example <c>Deploying › Rollback</c>; empty before the first heading.</param>
/// <param name="Text">The passage, in Markdown.</param>
/// <param name="StartLine">Its first line in the document, from 1.</param>
public sealed record Chunk(string Id, string Document, string Heading, string Text, int StartLine);

/// <summary>A passage found.</summary>
/// <param name="Chunk">The passage.</param>
/// <param name="Score">Sum of 1/(60 + rank) over the rankings that have it.</param>
/// <param name="Bm25Rank">Place among the passages that share words with the query, from 1; null when it shares none or is too far down.</param>
/// <param name="DenseRank">Place by cosine of the embeddings, from 1; null when too far down.</param>
public sealed record SearchHit(Chunk Chunk, double Score, int? Bm25Rank, int? DenseRank);

/// <summary>What was built.</summary>
/// <param name="Chunks">Passages in the index.</param>
/// <param name="Documents">Documents that they come from.</param>
/// <param name="Dimension">Length of an embedding.</param>
/// <param name="SizeBytes">Size of the index folder.</param>
public sealed record IndexReport(int Chunks, int Documents, int Dimension, long SizeBytes);
