using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Channels;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Web.Serving;

/// <summary>The whole answer, with what was measured while it was made.</summary>
/// <param name="FirstTokenMs">From the request to the first token, loading and waiting included.</param>
/// <param name="DroppedTurns">Oldest turns that were left out because the model's context is too short for them.</param>
public sealed record ChatAnswer(string TraceId, string Deployment, string Revision, string Version, string Variant, string Answer, FinishReason Finish, int InputTokens, int OutputTokens, double FirstTokenMs, double DurationMs, int DroppedTurns);

/// <summary>A piece of an answer. The last one has no text of its own but the whole <see cref="Answer"/>.</summary>
public sealed record ChatPiece(string Text, ChatAnswer? Answer = null);

/// <summary>One chat request from choosing a revision to the stored trace. Pages and the API call this.</summary>
public sealed class ChatWithDeployment(ReadServing serving, ServedModels served, IngestSpans spans, TimeProvider time)
{
    public const int MostNewTokens = 1024;

    public async IAsyncEnumerable<ChatPiece> ChatAsync(string deployment, IReadOnlyList<ChatTurn> turns, SamplingOptions options, Actor actor, [EnumeratorCancellation] CancellationToken ct = default)
    {
        actor.Require(Permission.Chat);
        Ensure(turns, options);
        var revision = (await serving.GetAsync(deployment, DeploymentKind.Chat, ct)).ByTraffic();
        var trace = new ServedTrace(revision, "chat", turns[^1].Content, actor, time);
        var made = new Made();
        try
        {
            using var lease = await served.Models.BorrowAsync(revision.VariantDigest, ct);
            var model = lease.Value;
            await model.Turn.WaitAsync(ct);
            try
            {
                var (prompt, dropped) = Prompt(model.Generator, turns, time.GetUtcNow());
                made.InputTokens = prompt.Length;
                made.Dropped = dropped;
                made.Step = trace.Begin($"{revision.Version}:{revision.Variant}", "generation", turns[^1].Content);
                await foreach (var token in InBackground(model.Generator, prompt, options, ct))
                {
                    made.FirstTokenMs ??= trace.ElapsedMs;
                    made.StepFirstTokenMs ??= made.Step.ElapsedMs;
                    made.Add(token);
                    if (token.Text.Length > 0)
                        yield return new ChatPiece(token.Text);
                }
            }
            finally
            {
                model.Turn.Release();
            }
            made.Completed = true;
        }
        finally
        {
            // Stored for answers that broke off too: somebody waited for them and tokens were made.
            await StoreAsync(trace, made);
        }
        yield return new ChatPiece("", new(trace.TraceId, deployment, revision.Name, revision.Version, revision.Variant, made.Text.ToString(), made.Finish ?? FinishReason.Length,
            made.InputTokens, made.OutputTokens, made.FirstTokenMs ?? trace.ElapsedMs, made.DurationMs, made.Dropped));
    }

    private static void Ensure(IReadOnlyList<ChatTurn> turns, SamplingOptions options)
    {
        if (turns.Count == 0 || turns[^1].Role != "user" || string.IsNullOrWhiteSpace(turns[^1].Content))
            throw LlmOpsException.Invalid("'messages' ends with what the user says: a turn with the role 'user' and some text.");
        if (turns.FirstOrDefault(t => t.Role is not ("user" or "assistant")) is { } other)
            throw LlmOpsException.Invalid($"A message's role is 'user' or 'assistant', not '{other.Role}'.");
        if (options.MaxNewTokens is < 1 or > MostNewTokens)
            throw LlmOpsException.Invalid($"'max_new_tokens' is between 1 and {MostNewTokens}.");
        if (options.Temperature is not (>= 0 and <= 10) || options.TopK < 0 || options.TopP is not (> 0 and <= 1) || options.RepetitionPenalty is not (> 0 and <= 10) || options.Stop?.Any(s => s.Length == 0) == true)
            throw LlmOpsException.Invalid("Sampling: temperature is 0 … 10, top_k 0 or more, top_p above 0 and at most 1, repetition_penalty above 0 and at most 10, stop texts are not empty.");
    }

    /// <summary>Leaves the oldest exchanges out until the rest fits with room for an answer; the last question alone has to fit.</summary>
    private static (int[] Prompt, int Dropped) Prompt(TextGenerator generator, IReadOnlyList<ChatTurn> turns, DateTimeOffset now)
    {
        var context = generator.Config.MaxPositionEmbeddings;
        for (var from = 0; ; from++)
        {
            var prompt = generator.Format.Chat([.. turns.Skip(from)], now);
            if (prompt.Length <= context * 3 / 4 || (from == turns.Count - 1 && prompt.Length < context))
                return (prompt, from);
            if (from == turns.Count - 1)
                throw LlmOpsException.Invalid($"The message has {prompt.Length} tokens; the model's context holds {context}, the answer included. Shorten it.");
        }
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

    private async Task StoreAsync(ServedTrace trace, Made made)
    {
        made.DurationMs = trace.ElapsedMs;
        var error = made.Completed ? null : made.OutputTokens > 0 ? $"Broken off after {made.OutputTokens} tokens." : "Broken off before the first token.";
        made.Step?.End(made.Text.ToString(), error, made.InputTokens, made.OutputTokens, made.StepFirstTokenMs, new { finish = made.Finish, made.LogProbability, dropped_turns = made.Dropped });
        await spans.IngestAsync(trace.Finish(made.Text.ToString(), error, made.InputTokens, made.OutputTokens, made.FirstTokenMs), CancellationToken.None);
    }

    private sealed class Made
    {
        public StringBuilder Text { get; } = new();
        public ServedTrace.Step? Step { get; set; }
        public int InputTokens { get; set; }
        public int OutputTokens { get; private set; }
        public int Dropped { get; set; }
        public double? FirstTokenMs { get; set; }
        public double? StepFirstTokenMs { get; set; }
        public double DurationMs { get; set; }
        public double LogProbability { get; private set; }
        public FinishReason? Finish { get; private set; }
        public bool Completed { get; set; }

        public void Add(GeneratedToken token)
        {
            Text.Append(token.Text);
            OutputTokens++;
            LogProbability += token.LogProbability;
            Finish = token.Finish;
        }
    }
}
