using System.Runtime.CompilerServices;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Inference.Batching;

/// <summary>
/// Generates for many callers at once (continuous batching): requests join and leave the running batch at every step, prompts are computed in chunks between steps, what
/// prompts have in common at their beginning is computed once, and clients are served by what they already got. Each answer is what the request would get alone, but for
/// rounding. Safe for use on many threads; one thread of its own computes.
/// </summary>
public sealed class BatchedGenerator : IDisposable
{
    private readonly DecoderSession decoder;
    private readonly BatchLoop loop;
    private readonly long fileBytes;

    private BatchedGenerator(DecoderSession decoder, Tokenizer tokenizer, PromptFormat format, SessionSettings session, BatchSettings settings, bool together, long fileBytes)
    {
        (this.decoder, this.fileBytes, Tokenizer, Format, GrowsTogether) = (decoder, fileBytes, tokenizer, format, together);
        var trie = new Lazy<TokenTrie>(() => new(tokenizer.VocabularySize, id => tokenizer.IsSpecial(id) ? [] : tokenizer.Bytes(id), [Config.EosTokenId, .. tokenizer.EndIds]));
        loop = new(decoder, tokenizer, trie, session.PrefixCacheBytes, settings, together);
    }

    /// <summary>The tokenizer of the folder.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>How the model wants its prompts.</summary>
    public PromptFormat Format { get; }

    /// <summary>The configuration of the folder.</summary>
    public ModelConfig Config => decoder.Config;

    /// <summary>Whether several rows go through the graph as one step; otherwise they take turns, which is fair but no faster.</summary>
    public bool GrowsTogether { get; }

    /// <summary>Bytes of the graphs' files, which the weights take in memory too, and of the caches at this moment.</summary>
    public long MemoryBytes => fileBytes + loop.CacheBytes;

    /// <summary>Requests that are computed or wait.</summary>
    public int Requests => loop.Requests;

    /// <summary>Requests that wait for room in the batch.</summary>
    public int Waiting => loop.Waiting;

    /// <summary>The last steps, oldest first.</summary>
    public IReadOnlyList<BatchStep> Steps => loop.Steps;

    /// <summary>Opens the ONNX folder with its tokenizer, as <see cref="TextGenerator.Load"/> does.</summary>
    /// <exception cref="ArgumentException">A setting is out of range.</exception>
    /// <exception cref="InvalidModelException">A graph is missing, damaged, or does not fit its config.json.</exception>
    /// <exception cref="UnsupportedModelException">The provider is not here, or the graph's tensors have a type that is not supported.</exception>
    public static BatchedGenerator Load(string folder, SessionSettings? session = null, BatchSettings? settings = null)
    {
        (session, settings) = (session ?? new(), settings ?? new());
        if (settings.Rows is < 1 or > 256 || settings.PromptChunk < 1)
            throw new ArgumentException("A batch has 1 to 256 rows, and prompts are computed by 1 or more tokens.", nameof(settings));
        var tokenizer = Tokenizer.Load(folder);
        var format = PromptFormat.Load(folder, tokenizer);
        var together = settings.TogetherWhateverIsRounded || !GraphFile.Has(Path.Combine(folder, OnnxModel.FileName), "DynamicQuantizeLinear");
        // Where a step is rounded as a whole, cutting a prompt elsewhere changes its numbers as much as a neighbour would.
        if (!together)
            (settings, session) = (settings with { PromptChunk = int.MaxValue }, session with { PrefixCacheBytes = 0 });
        var decoder = DecoderSession.Open(folder, session);
        if (tokenizer.VocabularySize <= decoder.Config.VocabSize)
            return new(decoder, tokenizer, format, session, settings, together && decoder.Step.Form.AppendsInPlace, TextGenerator.FileBytes(folder));
        decoder.Dispose();
        throw new InvalidModelException($"The tokenizer knows {tokenizer.VocabularySize} tokens, the model only {decoder.Config.VocabSize}.");
    }

    /// <summary>Continues the prompt; the tokens come as they are made, those of several continuations in turn.</summary>
    /// <param name="prompt">Token ids, rendered by <see cref="Format"/>.</param>
    /// <param name="options">How to choose tokens and when to stop.</param>
    /// <param name="client">Whom the tokens are charged to where callers compete.</param>
    /// <param name="ct">Takes the request out of the batch; so does giving up the enumeration.</param>
    /// <exception cref="ArgumentException">The prompt is empty, fills the context, or has unknown tokens; or an option is out of range.</exception>
    public IAsyncEnumerable<GeneratedToken> GenerateAsync(int[] prompt, SamplingOptions options, string client = "", CancellationToken ct = default)
    {
        options.Ensure(Config.VocabSize);
        if (prompt.Length == 0)
            throw new ArgumentException("The prompt has no tokens.", nameof(prompt));
        if (prompt.Length >= Config.MaxPositionEmbeddings)
            throw new ArgumentException($"The prompt has {prompt.Length} tokens and leaves no room for an answer: the model's context holds {Config.MaxPositionEmbeddings}. Shorten the prompt.", nameof(prompt));
        decoder.EnsureTokens(prompt);
        return TokensAsync(prompt, options, client, ct);
    }

    private async IAsyncEnumerable<GeneratedToken> TokensAsync(int[] prompt, SamplingOptions options, string client, [EnumeratorCancellation] CancellationToken ct)
    {
        using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var request = new BatchRequest(prompt, options, client, abandoned.Token);
        loop.Add(request);
        try
        {
            await foreach (var token in request.Tokens.Reader.ReadAllAsync(ct))
                yield return token;
        }
        finally
        {
            await abandoned.CancelAsync();
            loop.Wake();
            // The token that was just cancelled has to outlive the loop's last look at it.
            await request.Ended.Task;
        }
    }

    /// <summary>Ends the requests under way with an error, then frees the session.</summary>
    public void Dispose()
    {
        loop.Dispose();
        decoder.Dispose();
    }
}
