using System.Runtime.CompilerServices;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Inference.Batching;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;

namespace LlmOps.Web.Serving;

/// <summary>The whole answer, with what was measured while it was made.</summary>
/// <param name="FirstTokenMs">From the request to the first token, loading and waiting included.</param>
/// <param name="DroppedTurns">Oldest turns that were left out because the model's context is too short for them.</param>
public sealed record ChatAnswer(string TraceId, string Deployment, string Revision, string Version, string Variant, string Answer, FinishReason Finish, int InputTokens, int OutputTokens, double FirstTokenMs, double DurationMs, int DroppedTurns);

/// <summary>A piece of an answer. The last one has no text of its own but the whole <see cref="Answer"/>.</summary>
public sealed record ChatPiece(string Text, ChatAnswer? Answer = null);

/// <summary>One chat request from choosing a revision to the stored trace. Pages and the product's own API call this.</summary>
public sealed class ChatWithDeployment(ReadServing serving, ServeGeneration generation, TimeProvider time)
{
    public const int MostNewTokens = 1024;

    public async IAsyncEnumerable<ChatPiece> ChatAsync(string deployment, IReadOnlyList<ChatTurn> turns, SamplingOptions options, Actor actor, ServingClient? client = null, [EnumeratorCancellation] CancellationToken ct = default)
    {
        actor.Require(Permission.Chat);
        Ensure(turns, options);
        var revision = (await serving.GetAsync(deployment, DeploymentKind.Chat, ct)).ByTraffic();
        ChatAnswer answer;
        await using (var running = await generation.StartAsync(revision, "chat", turns[^1].Content, generator => Prompt(generator, turns, options, time.GetUtcNow()), actor, client, ct: ct))
        {
            await foreach (var token in running.TokensAsync(ct))
                if (token.Text.Length > 0)
                    yield return new ChatPiece(token.Text);
            answer = new(running.TraceId, deployment, revision.Name, revision.Version, revision.Variant, running.Text, running.Finish ?? FinishReason.Length, running.InputTokens, running.OutputTokens,
                running.FirstTokenMs, running.ElapsedMs, running.DroppedTurns);
        }
        yield return new ChatPiece("", answer);
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
    private static PreparedPrompt Prompt(BatchedGenerator generator, IReadOnlyList<ChatTurn> turns, SamplingOptions options, DateTimeOffset now)
    {
        var context = generator.Config.MaxPositionEmbeddings;
        for (var from = 0; ; from++)
        {
            var prompt = generator.Format.Chat([.. turns.Skip(from)], now);
            if (prompt.Length <= context * 3 / 4 || (from == turns.Count - 1 && prompt.Length < context))
                return new(prompt, options, from);
            if (from == turns.Count - 1)
                throw LlmOpsException.Invalid($"The message has {prompt.Length} tokens; the model's context holds {context}, the answer included. Shorten it.");
        }
    }
}
