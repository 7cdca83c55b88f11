using LlmOps.Engines.Inference;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Retrieval;

/// <summary>
/// Sentence embeddings by an exported encoder (<see cref="Onnx.EncoderExport"/>). Texts of similar length run together, so that little is computed for padding; a text
/// longer than the model reads is cut at its end, its control tokens kept. Safe for use on many threads.
/// </summary>
public sealed class EncoderEmbedder : ITextEmbedder, IDisposable
{
    private readonly OnnxEncoder model;
    private readonly Tokenizer tokenizer;
    private readonly string folder;

    private EncoderEmbedder(OnnxEncoder model, Tokenizer tokenizer, string folder) => (this.model, this.tokenizer, this.folder) = (model, tokenizer, folder);

    /// <summary>Most tokens of one batch, padding included: bounds the memory of a run, and on a processor larger batches are not faster.</summary>
    public int TokensPerBatch { get; init; } = 4096;

    /// <summary>Length of an embedding.</summary>
    public int Dimension => model.Dimension;

    /// <summary>Tokens of a text that are read, control tokens included.</summary>
    public int MaxTokens => model.MaxTokens;

    /// <summary>Opens an ONNX folder with its tokenizer.</summary>
    /// <exception cref="InvalidModelException">A file is missing or damaged.</exception>
    /// <exception cref="UnsupportedModelException">The graph does not pool, or the tokenizer is of a kind that is not supported.</exception>
    public static EncoderEmbedder Load(string onnxFolder, SessionSettings? settings = null)
    {
        var tokenizer = Tokenizer.Load(onnxFolder);
        var model = OnnxEncoder.Load(onnxFolder, settings);
        if (model.HasSentence)
            return new(model, tokenizer, onnxFolder);
        model.Dispose();
        throw new UnsupportedModelException("The encoder gives hidden states only; export it with pooling (EncoderExport.Pooling).");
    }

    /// <summary>Number of tokens of a text that are read.</summary>
    public int Count(string text) => Tokens(text).Length;

    /// <summary>The embedding of a text, <see cref="Dimension"/> values.</summary>
    public float[] Embed(string text) => Embed([text])[0];

    /// <summary>The embeddings of texts, in their order.</summary>
    /// <param name="texts">Texts; an empty one is embedded as its control tokens.</param>
    /// <param name="ct">Stops between two batches.</param>
    /// <exception cref="InvalidModelException">The tokenizer gives ids that the model does not know.</exception>
    public IReadOnlyList<float[]> Embed(IReadOnlyList<string> texts, CancellationToken ct = default)
    {
        var tokens = texts.Select(Tokens).ToArray();
        var results = new float[texts.Count][];
        foreach (var batch in Batches(tokens, TokensPerBatch))
        {
            ct.ThrowIfCancellationRequested();
            var vectors = model.Sentences([.. batch.Select(i => tokens[i])]);
            for (var i = 0; i < batch.Count; i++)
                results[batch[i]] = vectors[i];
        }
        return results;
    }

    /// <summary>Copies the model's files, so that <see cref="Load"/> reads them there.</summary>
    public void Save(string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.EnumerateFiles(this.folder))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
    }

    /// <summary>Indices of texts by length, longest first, so that a batch too large for the memory fails at once and not at the end.</summary>
    internal static IEnumerable<List<int>> Batches(IReadOnlyList<int[]> tokens, int tokensPerBatch)
    {
        var batch = new List<int>();
        foreach (var i in Enumerable.Range(0, tokens.Count).OrderByDescending(i => tokens[i].Length))
        {
            if (batch.Count > 0 && (batch.Count + 1) * tokens[batch[0]].Length > tokensPerBatch)
            {
                yield return batch;
                batch = [];
            }
            batch.Add(i);
        }
        if (batch.Count > 0)
            yield return batch;
    }

    private int[] Tokens(string text)
    {
        var whole = tokenizer.Encode(text, specials: false, addSpecial: true);
        if (whole.Length == 0)
            throw new InvalidModelException("A text has no tokens, and the tokenizer puts no control tokens around it: there is nothing to embed.");
        if (whole.Length <= MaxTokens)
            return whole;
        // What the tokenizer puts before and behind a text stays; the text's own end goes.
        var plain = tokenizer.Encode(text);
        int around = whole.Length - plain.Length, before = Enumerable.Range(0, around + 1).First(at => whole.AsSpan(at, plain.Length).SequenceEqual(plain));
        return around >= MaxTokens ? throw new InvalidModelException($"The tokenizer puts {around} control tokens around a text; the model reads {MaxTokens}.")
            : [.. whole[..before], .. plain[..(MaxTokens - around)], .. whole[(before + plain.Length)..]];
    }

    /// <summary>Frees the session.</summary>
    public void Dispose() => model.Dispose();
}
