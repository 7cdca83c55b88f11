using System.Runtime.CompilerServices;
using System.Text;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Inference.Batching;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Web.Serving;

/// <param name="DroppedTurns">Oldest turns that were left out because the model's context is too short for them.</param>
public sealed record PreparedPrompt(int[] Tokens, SamplingOptions Options, int DroppedTurns = 0);

/// <summary>Takes a request through a loaded model. Every way in to a model ends here.</summary>
public sealed class ServeGeneration(ServedModels served, ServingLimits limits, CopyToShadows shadows, IngestSpans spans, TimeProvider time)
{
    /// <summary>Loads the model where it has to, and prepares the prompt; what is refused up to here is refused before anything was sent.</summary>
    /// <param name="client">Null for the person.</param>
    /// <param name="within">The request of which this is a part, which was let in and is ended by the caller.</param>
    /// <param name="prepare">Called with the loaded model, because only its tokenizer knows what a prompt is.</param>
    public async Task<RunningGeneration> StartAsync(ServingRevision revision, string kind, string input, Func<BatchedGenerator, PreparedPrompt> prepare, Actor actor, ServingClient? client = null, Admission? within = null, CancellationToken ct = default)
    {
        actor.Require(Permission.Chat);
        client ??= ServingClient.Of(actor);
        var running = new RunningGeneration(revision, new ServedTrace(revision, kind, input, actor, time), spans, input, client.Name, within ?? limits.Enter(client), endsAdmission: within is null);
        try
        {
            var model = await served.Models.BorrowAsync(revision.VariantDigest, ct);
            running.Begin(model, prepare);
            if (model.Value.Waiting >= Math.Max(1, served.MostWaiting))
                throw new TooManyRequestsException($"{revision.Name} is busy: {model.Value.Waiting} requests wait already.", 1 + model.Value.Waiting / 8);
            if (revision.Shadows.Count > 0)
                shadows.Copy(revision, input, prepare, actor);
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
public sealed class RunningGeneration(ServingRevision revision, ServedTrace trace, IngestSpans spans, string input, string client, Admission admitted, bool endsAdmission) : IAsyncDisposable
{
    private readonly SortedDictionary<int, StringBuilder> texts = [];
    private ModelResidency<BatchedGenerator>.Lease? lease;
    private PreparedPrompt? prepared;
    private ServedTrace.Step? step;
    private double? stepFirstTokenMs;
    private double logProbability;
    private bool began, completed, refused, failed = true;

    public ServingRevision Revision => revision;
    public string TraceId => trace.TraceId;
    public BatchedGenerator Generator => Lease.Value;
    public int InputTokens => prepared?.Tokens.Length ?? 0;
    public int CachedTokens { get; private set; }
    public int OutputTokens { get; private set; }
    public int DroppedTurns => prepared?.DroppedTurns ?? 0;

    /// <summary>From the request to the first token, loading and waiting included.</summary>
    public double FirstTokenMs { get; private set; } = double.NaN;
    public double ElapsedMs => trace.ElapsedMs;
    public FinishReason? Finish { get; private set; }
    public string Text => texts.Count == 0 ? "" : string.Join("\n\n", texts.Values);

    private ModelResidency<BatchedGenerator>.Lease Lease => lease ?? throw new InvalidOperationException("The model was not loaded yet.");

    internal void Begin(ModelResidency<BatchedGenerator>.Lease borrowed, Func<BatchedGenerator, PreparedPrompt> prepare)
    {
        lease = borrowed;
        refused = true;
        prepared = prepare(borrowed.Value);
        (refused, failed) = (false, false);
        step = trace.Begin($"{revision.Version}:{revision.Variant}", "generation", input);
    }

    public async IAsyncEnumerable<GeneratedToken> TokensAsync([EnumeratorCancellation] CancellationToken ct = default)
    {
        began = true;
        await using var tokens = Generator.GenerateAsync(prepared!.Tokens, prepared.Options, client, ct).GetAsyncEnumerator(ct);
        while (await NextAsync(tokens))
        {
            Add(tokens.Current);
            yield return tokens.Current;
        }
        completed = true;
    }

    // Options and prompt were checked before: what is left to complain about is a grammar that the text so far has led into a corner.
    private async ValueTask<bool> NextAsync(IAsyncEnumerator<GeneratedToken> tokens)
    {
        try
        {
            return await tokens.MoveNextAsync();
        }
        catch (ArgumentException e)
        {
            throw LlmOpsException.Invalid(e.Message);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            failed = true;
            throw;
        }
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

    public async ValueTask DisposeAsync()
    {
        lease?.Dispose();
        lease = null;
        if (began)
            admitted.Charge(InputTokens - CachedTokens + OutputTokens);
        if (endsAdmission)
            admitted.Dispose();
        // Nothing was asked of the model.
        if (refused)
            return;
        var error = completed ? null : OutputTokens > 0 ? $"Broken off after {OutputTokens} tokens." : "Broken off before the first token.";
        // Whoever went away says nothing about the revision.
        if (error is not null && !failed)
            error += " " + WatchCanaries.GaveUp;
        double? firstTokenMs = double.IsNaN(FirstTokenMs) ? null : FirstTokenMs;
        step?.End(Text, error, InputTokens, OutputTokens, stepFirstTokenMs, new { finish = Finish, LogProbability = logProbability, dropped_turns = DroppedTurns, cached_tokens = CachedTokens });
        var finished = trace.Finish(Text, error, InputTokens, OutputTokens, firstTokenMs);
        await spans.IngestAsync(finished, CancellationToken.None);
    }
}
