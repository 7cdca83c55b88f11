using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Inference;

/// <summary>
/// Generates text with an exported decoder, token by token. Calls from several threads wait for each other. What earlier prompts had in common with
/// a new one at its beginning is not computed again: the logits are the same but for rounding, which in a graph that quantizes its activations
/// for each step as a whole (dynamic int8) depends on where the steps are cut.
/// </summary>
public sealed class TextGenerator : IDisposable
{
    private readonly DecoderSession decoder;
    private readonly CachedDecoder cached;
    private readonly Lazy<TokenTrie> trie;
    private readonly long fileBytes;
    // Not a lock: an enumerator may be advanced from different threads, as asynchronous callers do.
    private readonly SemaphoreSlim turn = new(1, 1);

    private TextGenerator(DecoderSession decoder, Tokenizer tokenizer, PromptFormat format, SessionSettings settings, long fileBytes)
    {
        (this.decoder, this.fileBytes, Format) = (decoder, fileBytes, format);
        cached = new CachedDecoder(decoder, settings.PrefixCacheBytes);
        Tokenizer = tokenizer;
        trie = new(() => new(tokenizer.VocabularySize, id => tokenizer.IsSpecial(id) ? [] : tokenizer.Bytes(id), [Config.EosTokenId, .. tokenizer.EndIds]));
    }

    /// <summary>The tokenizer of the folder.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>How the model wants its prompts.</summary>
    public PromptFormat Format { get; }

    /// <summary>The configuration of the folder.</summary>
    public ModelConfig Config => decoder.Config;

    /// <summary>Bytes of the graphs' files, which the weights take in memory too, and of the caches at this moment.</summary>
    public long MemoryBytes => fileBytes + cached.CacheBytes;

    /// <summary>Opens the ONNX folder with its tokenizer. A second graph <c>prefill.onnx</c> with the same inputs and outputs, if there is one, computes steps of 8 tokens and more.</summary>
    /// <exception cref="InvalidModelException">A graph is missing, damaged, or does not fit its config.json.</exception>
    /// <exception cref="UnsupportedModelException">The provider is not here, or the graph's tensors have a type that is not supported.</exception>
    public static TextGenerator Load(string folder, SessionSettings? settings = null)
    {
        settings ??= new();
        var tokenizer = Tokenizer.Load(folder);
        var format = PromptFormat.Load(folder, tokenizer);
        var decoder = DecoderSession.Open(folder, settings);
        if (tokenizer.VocabularySize <= decoder.Config.VocabSize)
            return new(decoder, tokenizer, format, settings, FileBytes(folder));
        decoder.Dispose();
        throw new InvalidModelException($"The tokenizer knows {tokenizer.VocabularySize} tokens, the model only {decoder.Config.VocabSize}.");
    }

    /// <summary>
    /// Generators by the name of their folder, within a bound of memory. Making room counts the graphs' files before loading, and afterwards the caches too.
    /// </summary>
    /// <param name="mostBytes">Most bytes of all of them together.</param>
    /// <param name="settings">For each of them.</param>
    /// <param name="optimizedFolder">
    /// Keeps each model there as the runtime optimised it when it was loaded first, so that loading it again is faster; null optimises at every loading.
    /// Folders with a <c>prefill.onnx</c>, or for another provider than cpu, are loaded as they are. Nothing is ever deleted there.
    /// </param>
    public static ModelResidency<TextGenerator> Resident(long mostBytes, SessionSettings? settings = null, string? optimizedFolder = null) =>
        new((folder, _) => Task.FromResult(optimizedFolder is null ? Load(folder, settings) : OptimizedCopy.Load(folder, optimizedFolder, settings ?? new())))
        {
            MostBytes = mostBytes,
            Declare = FileBytes,
            Measure = generator => generator.MemoryBytes,
        };

    /// <summary>Bytes of all graphs and weights of a folder.</summary>
    internal static long FileBytes(string folder) => Directory.Exists(folder)
        ? new DirectoryInfo(folder).EnumerateFiles().Where(file => file.Name.Contains(".onnx", StringComparison.Ordinal)).Sum(file => file.Length)
        : throw new InvalidModelException($"There is no folder '{Path.GetFileName(Path.TrimEndingDirectorySeparator(folder))}'.");

    /// <summary>Continues the prompt; the tokens come as they are made, those of several continuations in turn.</summary>
    /// <param name="prompt">Token ids, rendered by <see cref="Format"/>.</param>
    /// <param name="options">How to choose tokens and when to stop.</param>
    /// <param name="ct">Ends a step under way, too; the generator stays usable.</param>
    /// <exception cref="ArgumentException">The prompt is empty, fills the context, or has unknown tokens; or an option is out of range.</exception>
    public IEnumerable<GeneratedToken> Generate(int[] prompt, SamplingOptions options, CancellationToken ct = default)
    {
        options.Ensure(Config.VocabSize);
        if (prompt.Length == 0)
            throw new ArgumentException("The prompt has no tokens.", nameof(prompt));
        if (prompt.Length >= Config.MaxPositionEmbeddings)
            throw new ArgumentException($"The prompt has {prompt.Length} tokens and leaves no room for an answer: the model's context holds {Config.MaxPositionEmbeddings}. Shorten the prompt.", nameof(prompt));
        decoder.EnsureTokens(prompt);
        return Steps(prompt, options, ct);
    }

    /// <summary>Adds an adapter to the model, in place of the one before; null takes it away. Waits for a generation under way.</summary>
    /// <param name="adapterFile">An <c>.onnx_adapter</c> file that <see cref="Onnx.OnnxAdapterExport"/> wrote for this folder's graph.</param>
    /// <exception cref="InvalidModelException">The file is damaged or made for another graph; the adapter before stays in use.</exception>
    /// <exception cref="UnsupportedModelException">The graph takes no adapters (<see cref="Onnx.LoraSlots"/>).</exception>
    public void UseAdapter(string? adapterFile)
    {
        turn.Wait();
        try
        {
            cached.UseAdapter(adapterFile);
        }
        finally
        {
            turn.Release();
        }
    }

    private IEnumerable<GeneratedToken> Steps(int[] prompt, SamplingOptions options, CancellationToken ct)
    {
        turn.Wait(ct);
        try
        {
            int[] ends = [Config.EosTokenId, .. Tokenizer.EndIds, .. options.EndTokens ?? []];
            var room = Math.Min(options.MaxNewTokens, Config.MaxPositionEmbeddings - prompt.Length);
            var count = options.Continuations;
            var answers = Enumerable.Range(0, count).Select(i => new Continuation(options, Tokenizer, options.Grammar?.Start(trie.Value), prompt, ends, room, i)).ToArray();
            ct.ThrowIfCancellationRequested();
            var reused = cached.Start(prompt, prompt.Length + room);
            cached.Append(prompt.AsSpan(reused), ct);
            for (var step = 0; ; step++)
            {
                ct.ThrowIfCancellationRequested();
                var made = new List<GeneratedToken>(count);
                for (var i = 0; i < count; i++)
                    if (!answers[i].IsFinished)
                        made.Add(answers[i].Next(cached.Logits(step == 0 ? 0 : i)) with { CachedPromptTokens = reused });
                foreach (var token in made)
                    yield return token;
                if (answers.All(a => a.IsFinished))
                    yield break;
                ct.ThrowIfCancellationRequested();
                if (count == 1)
                {
                    cached.Append([answers[0].LastToken], ct);
                    continue;
                }
                if (step == 0)
                    cached.Fork(count, prompt.Length + room);
                // What a finished answer would add is not looked at.
                cached.Step([.. answers.Select(a => a.LastToken)], ct);
            }
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Waits for a generation under way to be given up, then frees the session.</summary>
    public void Dispose()
    {
        turn.Wait();
        cached.Dispose();
        decoder.Dispose();
        turn.Dispose();
    }
}
