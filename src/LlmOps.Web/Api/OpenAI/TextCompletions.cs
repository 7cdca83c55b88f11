using System.Text;
using System.Text.Json;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Inference.Batching;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Web.Security;
using LlmOps.Web.Serving;

namespace LlmOps.Web.Api.OpenAI;

/// <summary>POST /v1/completions: continues texts as they are, without a chat template.</summary>
public sealed class TextCompletions(FindModel find, ServeGeneration generation, ServingLimits limits, TimeProvider time)
{
    private const int MostPrompts = 32;
    private const int DefaultTokens = 16;

    public async Task AnswerAsync(CompletionRequest body, HttpContext http)
    {
        var (ct, actor) = (http.RequestAborted, http.User.ToActor());
        var prompts = ReadPrompts(body.Prompt);
        Sampling.Check(string.IsNullOrEmpty(body.Suffix), "suffix", "left out: the models here continue a text and fill no gap");
        Sampling.Check(body.BestOf is null || body.BestOf == (body.N ?? 1), "best_of", "left out or equal to 'n'");
        Sampling.Check(body.Logprobs is null or (>= 0 and <= 20), "logprobs", "0 to 20");
        Sampling.Check(body.Echo != true || body.Logprobs is null, "echo", "left out where 'logprobs' are asked for");
        var options = Sampling.Options(body, body.MaxTokens ?? DefaultTokens, body.Logprobs ?? 0);
        var revision = await find.GetAsync(body.Model, body.User, actor, ct);
        if (revision.Kind == DeploymentKind.Rag)
            throw OpenAIException.Invalid($"'{body.Model}' answers questions; ask it with POST /v1/chat/completions.", "model");
        var answer = new AnswerHead($"cmpl-{Guid.NewGuid():N}", time.GetUtcNow().ToUnixTimeSeconds(), body.Model!, revision);
        var events = body.Stream == true ? new EventStream(http) : null;
        await new EventStream(http).GuardAsync(async () =>
        {
            var client = ServingClient.Of(http.User);
            using var admitted = limits.Enter(client);
            var (choices, usage) = (new List<TextChoice>(), Usage.Of(0, 0, 0));
            foreach (var (i, prompt) in prompts.Index())
            {
                await using var running = await generation.StartAsync(revision, "completion", prompt.Text ?? $"{prompt.Tokens!.Length} tokens", generator => Prompts.Ensured(generator, prompt.Render(generator), options, "prompt"), actor, client, admitted, ct);
                if (i == 0)
                    answer.Announce(http, running.TraceId);
                choices.AddRange(await CollectAsync(answer, running, prompt, i, body, events, ct));
                usage += Usage.Of(running.InputTokens, running.OutputTokens, running.CachedTokens);
            }
            if (events is null)
                await http.Response.WriteAsJsonAsync(new TextCompletion(answer.Id, answer.Created, answer.Model, choices, answer.Fingerprint) { Usage = usage }, OpenAIErrors.Json, ct);
            else
                await EndAsync(answer, events, body.StreamOptions?.IncludeUsage == true ? usage : null);
        });
    }

    private static async Task EndAsync(AnswerHead answer, EventStream events, Usage? usage)
    {
        if (usage is not null)
            await events.SendAsync(new TextCompletion(answer.Id, answer.Created, answer.Model, [], answer.Fingerprint) { Usage = usage });
        await events.EndAsync();
    }

    private static async Task<IEnumerable<TextChoice>> CollectAsync(AnswerHead answer, RunningGeneration running, TextPrompt prompt, int number, CompletionRequest body, EventStream? events, CancellationToken ct)
    {
        var tokenizer = running.Generator.Tokenizer;
        var n = body.N ?? 1;
        var texts = Enumerable.Range(0, n).Select(_ => new Collected(body.Logprobs is null ? null : tokenizer)).ToArray();
        if (body.Echo == true)
            foreach (var (c, text) in texts.Index())
                await SendAsync(c, text.Echo(prompt.Text ?? tokenizer.Decode(prompt.Tokens!)));
        await foreach (var token in running.TokensAsync(ct))
            await SendAsync(token.Continuation, texts[token.Continuation].Add(token));
        return texts.Select((t, c) => t.ToChoice(number * n + c));

        async Task SendAsync(int choice, TextChoice? piece)
        {
            if (events is not null && piece is not null)
                await events.SendAsync(new TextCompletion(answer.Id, answer.Created, answer.Model, [piece with { Index = number * n + choice }], answer.Fingerprint));
        }
    }

    private static IReadOnlyList<TextPrompt> ReadPrompts(JsonElement? prompt)
    {
        IReadOnlyList<TextPrompt>? read = prompt?.ValueKind switch
        {
            JsonValueKind.String => [new(prompt.Value.GetString(), null)],
            JsonValueKind.Array when Tokens(prompt.Value) is { Length: > 0 } tokens => [new(null, tokens)],
            JsonValueKind.Array when prompt.Value.EnumerateArray().All(p => p.ValueKind == JsonValueKind.String || Tokens(p) is not null) =>
                [.. prompt.Value.EnumerateArray().Select(p => p.ValueKind == JsonValueKind.String ? new TextPrompt(p.GetString(), null) : new(null, Tokens(p)))],
            _ => null,
        };
        return read is { Count: >= 1 and <= MostPrompts } ? read : Sampling.Refuse<IReadOnlyList<TextPrompt>>("prompt", $"a text, a list of token ids, or a list of 1 to {MostPrompts} of these");
    }

    public static int[]? Tokens(JsonElement list) => list.ValueKind == JsonValueKind.Array && list.EnumerateArray().All(t => t.ValueKind == JsonValueKind.Number && t.TryGetInt32(out _))
        ? [.. list.EnumerateArray().Select(t => t.GetInt32())] : null;

    private sealed record TextPrompt(string? Text, int[]? Tokens)
    {
        public int[] Render(BatchedGenerator generator) => Tokens ?? Beginning(generator, Text!);
    }

    /// <summary>A document's tokens without the one that ends it: the model goes on.</summary>
    public static int[] Beginning(BatchedGenerator generator, string text)
    {
        var document = generator.Format.Document(text);
        return document.Length > 1 && document[^1] == generator.Tokenizer.EosId ? document[..^1] : document;
    }

    private sealed class Collected(Tokenizer? tokenizer)
    {
        private readonly StringBuilder text = new();
        private readonly TextLogProbabilities all = Empty();
        private TextLogProbabilities pending = Empty();
        private int offset;
        private string? finish;

        public TextChoice Echo(string prompt)
        {
            text.Append(prompt);
            offset = prompt.Length;
            return new(0, prompt, null, null);
        }

        /// <summary>Null where nothing became certain.</summary>
        public TextChoice? Add(GeneratedToken token)
        {
            if (tokenizer is not null && token.Finish != FinishReason.EndOfText)
                Note(tokenizer, token);
            text.Append(token.Text);
            if (token.Finish is not null)
                finish = token.Finish.Words();
            if (token.Text.Length == 0 && token.Finish is null)
                return null;
            var certain = token.Text.Length > 0 || token.Finish is not FinishReason.Stop ? pending : Empty();
            pending = Empty();
            all.Tokens.AddRange(certain.Tokens);
            all.TokenLogprobs.AddRange(certain.TokenLogprobs);
            all.TopLogprobs.AddRange(certain.TopLogprobs);
            all.TextOffset.AddRange(certain.TextOffset);
            return new(0, token.Text, tokenizer is null ? null : certain, token.Finish is null ? null : finish);
        }

        public TextChoice ToChoice(int index) => new(index, text.ToString(), tokenizer is null ? null : all, finish);

        private void Note(Tokenizer known, GeneratedToken token)
        {
            var spelled = LogProbabilities.Text(known, token.Id);
            pending.Tokens.Add(spelled);
            pending.TokenLogprobs.Add(token.LogProbability);
            // Two tokens may spell alike when each is a part of a character: the likelier one is told.
            pending.TopLogprobs.Add(token.Alternatives?.GroupBy(a => LogProbabilities.Text(known, a.Id)).ToDictionary(g => g.Key, g => g.First().LogProbability));
            pending.TextOffset.Add(offset);
            offset += spelled.Length;
        }

        private static TextLogProbabilities Empty() => new([], [], [], []);
    }
}
