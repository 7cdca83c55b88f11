using System.Text;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Web.Security;
using LlmOps.Web.Serving;

namespace LlmOps.Web.Api.OpenAI;

/// <summary>POST /v1/chat/completions.</summary>
public sealed class ChatCompletions(FindModel find, ServeGeneration generation, RagCompletions rag, TimeProvider time)
{
    public async Task AnswerAsync(ChatCompletionRequest body, HttpContext http)
    {
        var (ct, actor) = (http.RequestAborted, http.User.ToActor());
        var messages = ChatMessages.Read(body.Messages);
        var tools = Tools.Read(body.Tools, body.ToolChoice);
        var options = Options(body, tools);
        var revision = await find.GetAsync(body.Model, body.User, actor, ct);
        var answer = new AnswerHead($"chatcmpl-{Guid.NewGuid():N}", time.GetUtcNow().ToUnixTimeSeconds(), body.Model!, revision);
        if (revision.Kind == DeploymentKind.Rag)
        {
            await rag.AnswerAsync(answer, ChatMessages.LastText(messages), body, actor, http);
            return;
        }
        var input = new ChatInput(messages) { Tools = tools.Offered, AddGenerationPrompt = true, Now = time.GetUtcNow(), Variables = body.ChatTemplateKwargs ?? [] };
        await new EventStream(http).GuardAsync(async () =>
        {
            var stream = body.Stream == true ? new ChatStream(answer, new EventStream(http)) : null;
            ChatCompletion whole;
            await using (var running = await generation.StartAsync(revision, "chat", ChatMessages.LastText(messages), generator => Prompts.Chat(generator, input, options), actor, ServingClient.Of(http.User), ct: ct))
            {
                answer.Announce(http, running.TraceId);
                whole = await CollectAsync(answer, running, tools, body, stream, ct);
            }
            if (stream is null)
                await http.Response.WriteAsJsonAsync(whole, OpenAIErrors.Json, ct);
            else
                await stream.EndAsync(body.StreamOptions?.IncludeUsage == true ? whole.Usage : null);
        });
    }

    private static SamplingOptions Options(ChatCompletionRequest body, Tools tools)
    {
        if (body.TopLogprobs is { } top)
        {
            Sampling.Check(body.Logprobs == true, "top_logprobs", "left out unless 'logprobs' is true");
            Sampling.Check(top is >= 0 and <= 20, "top_logprobs", "0 to 20");
        }
        var options = Sampling.Options(body, body.MaxCompletionTokens ?? body.MaxTokens, body.TopLogprobs ?? 0);
        return tools.Forced is null ? options : options.Grammar is null ? options with { Grammar = tools.Forced }
            : throw OpenAIException.Invalid("'tool_choice' demands a call and 'response_format' another form of the answer; ask for one of them.", "response_format");
    }

    private static async Task<ChatCompletion> CollectAsync(AnswerHead answer, RunningGeneration running, Tools tools, ChatCompletionRequest body, ChatStream? stream, CancellationToken ct)
    {
        var tokenizer = running.Generator.Tokenizer;
        var choices = Enumerable.Range(0, body.N ?? 1).Select(_ => new Collected(new(tokenizer, tools, body.Logprobs == true))).ToArray();
        await foreach (var token in running.TokensAsync(ct))
        {
            var choice = choices[token.Continuation];
            var delta = choice.Add(token);
            if (stream is not null)
                await stream.SendAsync(token.Continuation, delta, body.Logprobs == true);
        }
        return answer.Whole([.. choices.Select((c, i) => c.ToChoice(i, body.Logprobs == true))], Usage.Of(running.InputTokens, running.OutputTokens, running.CachedTokens));
    }

    private sealed class Collected(ChatChoiceText text)
    {
        private readonly StringBuilder content = new();
        private readonly List<ContentLogProbability> logProbabilities = [];
        private readonly List<ToolCall> calls = [];
        private string finish = "stop";

        public ChatDelta Add(GeneratedToken token)
        {
            var delta = text.Add(token);
            content.Append(delta.Content);
            logProbabilities.AddRange(delta.LogProbabilities);
            calls.AddRange(delta.Calls.Select(c => c with { Index = null }));
            finish = delta.FinishReason ?? finish;
            return delta;
        }

        public ChatChoice ToChoice(int index, bool withLogProbabilities) => new(index,
            new("assistant", content.Length == 0 && calls.Count > 0 ? null : content.ToString()) { ToolCalls = calls.Count > 0 ? calls : null },
            withLogProbabilities ? new(logProbabilities) : null, finish);
    }
}
