using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Channels;
using LlmOps.Engines.Inference;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Web.Serving;

/// <param name="DroppedTurns">Oldest turns that were left out because the model's context is too short for them.</param>
public sealed record PreparedPrompt(int[] Tokens, SamplingOptions Options, int DroppedTurns = 0);

/// <summary>Takes a request through a loaded model. Every way in to a model ends here.</summary>
public sealed class ServeGeneration(ServedModels served, IngestSpans spans, TimeProvider time)
{
    /// <summary>Loads the model where it has to, and prepares the prompt; what is refused up to here is refused before anything was sent.</summary>
    /// <param name="prepare">Called with the loaded model, because only its tokenizer knows what a prompt is.</param>
    public async Task<RunningGeneration> StartAsync(ServingRevision revision, string kind, string input, Func<TextGenerator, PreparedPrompt> prepare, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Chat);
        var running = new RunningGeneration(revision, new ServedTrace(revision, kind, input, actor, time), spans, input);
        try
        {
            running.Begin(await served.Models.BorrowAsync(revision.VariantDigest, ct), prepare);
            return running;
        }
        catch
        {
            await running.DisposeAsync();
            throw;
        }
    }
}

/// <summary>One request that holds a loaded model. Disposing gives the model back and stores the trace, however it ended: somebody waited for it and tokens were made.</summary>
public sealed class RunningGeneration(ServingRevision revision, ServedTrace trace, IngestSpans spans, string input) : IAsyncDisposable
{
    private readonly SortedDictionary<int, StringBuilder> texts = [];
    private ModelResidency<ServedModel>.Lease? lease;
    private PreparedPrompt? prepared;
    private ServedTrace.Step? step;
    private double? stepFirstTokenMs;
    private double logProbability;
    private bool completed;

    public ServingRevision Revision => revision;
    public string TraceId => trace.TraceId;
    public TextGenerator Generator => Lease.Value.Generator;
    public int InputTokens => prepared?.Tokens.Length ?? 0;
    public int CachedTokens { get; private set; }
    public int OutputTokens { get; private set; }
    public int DroppedTurns => prepared?.DroppedTurns ?? 0;

    /// <summary>From the request to the first token, loading and waiting included.</summary>
    public double FirstTokenMs { get; private set; } = double.NaN;
    public double ElapsedMs => trace.ElapsedMs;
    public FinishReason? Finish { get; private set; }
    public string Text => texts.Count == 0 ? "" : string.Join("\n\n", texts.Values);

    private ModelResidency<ServedModel>.Lease Lease => lease ?? throw new InvalidOperationException("The model was not loaded yet.");

    internal void Begin(ModelResidency<ServedModel>.Lease borrowed, Func<TextGenerator, PreparedPrompt> prepare)
    {
        lease = borrowed;
        prepared = prepare(borrowed.Value.Generator);
        step = trace.Begin($"{revision.Version}:{revision.Variant}", "generation", input);
    }

    public async IAsyncEnumerable<GeneratedToken> TokensAsync([EnumeratorCancellation] CancellationToken ct = default)
    {
        var (model, prompt) = (Lease.Value, prepared!);
        await model.Turn.WaitAsync(ct);
        try
        {
            await foreach (var token in InBackground(model.Generator, prompt.Tokens, prompt.Options, ct))
            {
                Add(token);
                yield return token;
            }
        }
        finally
        {
            model.Turn.Release();
        }
        completed = true;
    }

    private void Add(GeneratedToken token)
    {
        if (OutputTokens++ == 0)
        {
            FirstTokenMs = trace.ElapsedMs;
            stepFirstTokenMs = step!.ElapsedMs;
        }
        CachedTokens = token.CachedPromptTokens;
        if (!texts.TryGetValue(token.Continuation, out var text))
            texts[token.Continuation] = text = new();
        text.Append(token.Text);
        logProbability += token.LogProbability;
        Finish = token.Finish ?? Finish;
    }

    /// <summary>The generator computes on its own thread, so that neither a page nor a request waits on it.</summary>
    private static async IAsyncEnumerable<GeneratedToken> InBackground(TextGenerator generator, int[] prompt, SamplingOptions options, [EnumeratorCancellation] CancellationToken ct)
    {
        var tokens = Channel.CreateUnbounded<GeneratedToken>(new() { SingleReader = true, SingleWriter = true });
        using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var work = Task.Run(() =>
        {
            try
            {
                foreach (var token in generator.Generate(prompt, options, abandoned.Token))
                    tokens.Writer.TryWrite(token);
                tokens.Writer.Complete();
            }
            catch (Exception e)
            {
                tokens.Writer.Complete(e);
            }
        }, CancellationToken.None);
        try
        {
            await foreach (var token in tokens.Reader.ReadAllAsync(ct))
                yield return token;
        }
        finally
        {
            await abandoned.CancelAsync();
            await work;
        }
    }

    public async ValueTask DisposeAsync()
    {
        var error = completed ? null : OutputTokens > 0 ? $"Broken off after {OutputTokens} tokens." : "Broken off before the first token.";
        double? firstTokenMs = double.IsNaN(FirstTokenMs) ? null : FirstTokenMs;
        step?.End(Text, error, InputTokens, OutputTokens, stepFirstTokenMs, new { finish = Finish, LogProbability = logProbability, dropped_turns = DroppedTurns, cached_tokens = CachedTokens });
        var finished = trace.Finish(Text, error, InputTokens, OutputTokens, firstTokenMs);
        lease?.Dispose();
        lease = null;
        await spans.IngestAsync(finished, CancellationToken.None);
    }
}
