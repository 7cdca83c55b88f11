using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Inference;

/// <summary>Generates text with an exported decoder, token by token. Calls from several threads wait for each other.</summary>
public sealed class TextGenerator : IDisposable
{
    private readonly DecoderSession decoder;
    private readonly CachedDecoder cached;
    // Not a lock: an enumerator may be advanced from different threads, as asynchronous callers do.
    private readonly SemaphoreSlim turn = new(1, 1);

    private TextGenerator(DecoderSession decoder, Tokenizer tokenizer)
    {
        this.decoder = decoder;
        cached = new CachedDecoder(decoder);
        Tokenizer = tokenizer;
    }

    /// <summary>The tokenizer of the folder.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>The configuration of the folder.</summary>
    public ModelConfig Config => decoder.Config;

    /// <summary>Opens the ONNX folder with its tokenizer.</summary>
    /// <exception cref="InvalidModelException">The graph is missing, damaged, or does not fit its config.json.</exception>
    public static TextGenerator Load(string folder, SessionSettings? settings = null)
    {
        var tokenizer = Tokenizer.Load(folder);
        var decoder = DecoderSession.Open(folder, settings);
        if (tokenizer.VocabularySize <= decoder.Config.VocabSize)
            return new(decoder, tokenizer);
        decoder.Dispose();
        throw new InvalidModelException($"The tokenizer knows {tokenizer.VocabularySize} tokens, the model only {decoder.Config.VocabSize}.");
    }

    /// <summary>Continues the prompt; the tokens come as they are made.</summary>
    /// <param name="prompt">Token ids, rendered by <see cref="PromptTemplate"/>.</param>
    /// <param name="options">How to choose tokens and when to stop.</param>
    /// <param name="ct">Checked before every step.</param>
    /// <exception cref="ArgumentException">The prompt is empty, fills the context, or has unknown tokens; or an option is out of range.</exception>
    public IEnumerable<GeneratedToken> Generate(int[] prompt, SamplingOptions options, CancellationToken ct = default)
    {
        options.Ensure();
        if (prompt.Length == 0)
            throw new ArgumentException("The prompt has no tokens.", nameof(prompt));
        if (prompt.Length >= Config.MaxPositionEmbeddings)
            throw new ArgumentException($"The prompt has {prompt.Length} tokens and leaves no room for an answer: the model's context holds {Config.MaxPositionEmbeddings}. Shorten the prompt.", nameof(prompt));
        decoder.EnsureTokens(prompt);
        return Steps(prompt, options, ct);
    }

    private IEnumerable<GeneratedToken> Steps(int[] prompt, SamplingOptions options, CancellationToken ct)
    {
        turn.Wait(ct);
        try
        {
            int[] ends = [Config.EosTokenId, Tokenizer.EosId];
            var room = Math.Min(options.MaxNewTokens, Config.MaxPositionEmbeddings - prompt.Length);
            var sampler = new Sampler(options, Tokenizer.VocabularySize);
            sampler.Remember(prompt);
            var stream = new TextStream(Tokenizer, options.Stop ?? []);
            cached.Start(prompt.Length + room);
            int[] input = prompt;
            for (var made = 1; ; made++)
            {
                ct.ThrowIfCancellationRequested();
                var (token, logProbability) = sampler.Next(cached.Append(input, ct), made <= options.MinNewTokens ? ends : []);
                var ended = ends.Contains(token);
                var (text, stopped) = ended ? ("", false) : stream.Push(token);
                var finish = stopped ? FinishReason.Stop
                    : ended ? FinishReason.EndOfText
                    : made < room ? (FinishReason?)null
                    : room < options.MaxNewTokens ? FinishReason.Context : FinishReason.Length;
                if (finish is not null && !stopped)
                {
                    (var rest, stopped) = stream.Flush();
                    (text, finish) = (text + rest, stopped ? FinishReason.Stop : finish);
                }
                yield return new GeneratedToken(token, text, logProbability) { Finish = finish };
                if (finish is not null)
                    yield break;
                input = [token];
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
