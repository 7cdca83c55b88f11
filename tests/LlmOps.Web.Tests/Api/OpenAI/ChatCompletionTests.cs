using System.Net;
using System.Text;
using System.Text.Json;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Tracing;
using LlmOps.TestKit;

namespace LlmOps.Web.Tests.Api.OpenAI;

[Collection(OpenAICollection.Name)]
public sealed class ChatCompletionTests(OpenAIDeployments models)
{
    private const string Path = "/v1/chat/completions";

    private static object Say(string text, object? more = null) => With(new() { ["model"] = OpenAIDeployments.Chat, ["messages"] = new[] { new { role = "user", content = text } }, ["temperature"] = 0, ["max_tokens"] = 16 }, more);

    private static Dictionary<string, object?> With(Dictionary<string, object?> body, object? more)
    {
        foreach (var property in more?.GetType().GetProperties() ?? [])
            body[property.Name] = property.GetValue(more);
        return body;
    }

    private List<GeneratedToken> Alone(string text, SamplingOptions options)
    {
        using var generator = TextGenerator.Load(models.Folder);
        return [.. generator.Generate(generator.Format.Chat([new ChatTurn("user", text)]), options)];
    }

    [Fact]
    public async Task AnAnswer_IsTheModelsOwn_WithItsTokensCounted()
    {
        var expected = Alone("define a word", new(16));
        using var sent = await models.PostAsync(Path, Say("define a word", new { an_unknown_field = 7, user = "u" }));
        var answer = JsonDocument.Parse(await sent.Content.ReadAsStringAsync()).RootElement;
        Assert.Equal("chat.completion", answer.GetProperty("object").GetString());
        Assert.StartsWith("chatcmpl-", answer.GetProperty("id").GetString(), StringComparison.Ordinal);
        Assert.InRange(answer.GetProperty("created").GetInt64(), DateTimeOffset.UtcNow.AddMinutes(-5).ToUnixTimeSeconds(), DateTimeOffset.UtcNow.AddMinutes(5).ToUnixTimeSeconds());
        Assert.Equal(OpenAIDeployments.Chat, answer.GetProperty("model").GetString());
        var choice = Assert.Single(answer.GetProperty("choices").EnumerateArray());
        Assert.Equal("assistant", choice.GetProperty("message").GetProperty("role").GetString());
        Assert.Equal(string.Concat(expected.Select(t => t.Text)), choice.GetProperty("message").GetProperty("content").GetString());
        Assert.Equal(expected[^1].Finish == FinishReason.Length ? "length" : "stop", choice.GetProperty("finish_reason").GetString());
        Assert.Equal(JsonValueKind.Null, choice.GetProperty("logprobs").ValueKind);
        var usage = answer.GetProperty("usage");
        Assert.Equal((expected.Count, usage.GetProperty("prompt_tokens").GetInt32() + expected.Count), (usage.GetProperty("completion_tokens").GetInt32(), usage.GetProperty("total_tokens").GetInt32()));
        using (var generator = TextGenerator.Load(models.Folder))
            Assert.Equal(generator.Format.Chat([new ChatTurn("user", "define a word")]).Length, usage.GetProperty("prompt_tokens").GetInt32());
        Assert.Equal($"{OpenAIDeployments.Chat}#1", Assert.Single(sent.Headers.GetValues("x-llmops-revision")));
        var trace = await models.Product.Get<ReadTraces>().GetAsync(Assert.Single(sent.Headers.GetValues("x-llmops-trace")));
        Assert.Equal((expected.Count, "define a word"), (trace.Root.OutputTokens!.Value, trace.Root.Input));
    }

    [Fact]
    public async Task AStream_HasOneIdentity_BeginsWithTheRole_AndEndsWithReasonUsageAndDone()
    {
        var whole = await models.AnswerAsync(Path, Say("a small dog"));
        var chunks = await models.StreamAsync(Path, Say("a small dog", new { stream = true, stream_options = new { include_usage = true } }));
        Assert.Single(chunks.Select(c => (c.GetProperty("id").GetString(), c.GetProperty("created").GetInt64())).Distinct());
        Assert.All(chunks, c => Assert.Equal("chat.completion.chunk", c.GetProperty("object").GetString()));
        var deltas = chunks[..^1].Select(c => c.GetProperty("choices")[0]).ToList();
        Assert.Equal("""{"role":"assistant","content":""}""", deltas[0].GetProperty("delta").GetRawText());
        Assert.All(deltas[..^1], d => Assert.Equal(JsonValueKind.Null, d.GetProperty("finish_reason").ValueKind));
        Assert.Equal("{}", deltas[^1].GetProperty("delta").GetRawText());
        Assert.Equal(whole.GetProperty("choices")[0].GetProperty("finish_reason").GetString(), deltas[^1].GetProperty("finish_reason").GetString());
        Assert.Equal(whole.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString(), string.Concat(deltas.Skip(1).SkipLast(1).Select(d => d.GetProperty("delta").GetProperty("content").GetString())));
        Assert.True(deltas.Count > 4, "A stream that comes in one piece is none.");
        Assert.Empty(chunks[^1].GetProperty("choices").EnumerateArray());
        Assert.Equal(whole.GetProperty("usage").GetProperty("completion_tokens").GetInt32(), chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public async Task LogProbabilities_AreThoseOfTheModel_ComputedWithoutACache()
    {
        var answer = await models.AnswerAsync(Path, Say("the language", new { logprobs = true, top_logprobs = 3, max_tokens = 6 }));
        var content = answer.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("content").EnumerateArray().ToList();
        using var model = OnnxCausalModel.Load(models.Folder);
        int[] prompt, made;
        int known;
        using (var generator = TextGenerator.Load(models.Folder))
        {
            (prompt, known) = (generator.Format.Chat([new ChatTurn("user", "the language")]), generator.Tokenizer.VocabularySize);
            made = [.. generator.Generate(prompt, new(6)).Where(t => t.Finish != FinishReason.EndOfText).Select(t => t.Id)];
        }
        Assert.Equal(made.Length, content.Count);
        var logits = model.Logits([[.. prompt, .. made]])[0];
        for (var i = 0; i < made.Length; i++)
        {
            var row = logits.AsSpan((prompt.Length - 1 + i) * model.VocabularySize, model.VocabularySize).ToArray().Select(x => (double)x).ToArray();
            var norm = row.Max() + Math.Log(row.Sum(x => Math.Exp(x - row.Max())));
            Assert.Equal(row[made[i]] - norm, content[i].GetProperty("logprob").GetDouble(), 1e-4);
            Assert.Equal(row.Take(known).OrderDescending().Take(3).Select(x => Math.Round(x - norm, 3)), content[i].GetProperty("top_logprobs").EnumerateArray().Select(t => Math.Round(t.GetProperty("logprob").GetDouble(), 3)), (a, b) => Math.Abs(a - b) < 0.0021);
            Assert.Equal(content[i].GetProperty("token").GetString(), content[i].GetProperty("top_logprobs")[0].GetProperty("token").GetString());
        }
        Assert.Equal(Encoding.UTF8.GetString([.. content.SelectMany(c => c.GetProperty("bytes").EnumerateArray().Select(b => b.GetByte()))]), answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
    }

    [Fact]
    public async Task AStopText_EndsTheAnswer_WhereverTokensAreCut()
    {
        var tokens = Alone("define a word", new(16));
        var text = string.Concat(tokens.Select(t => t.Text));
        // The end of one token's text and the beginning of the next one's.
        var pair = tokens.Zip(tokens.Skip(1)).First(p => p.First.Text.Length > 0 && p.Second.Text.Length > 0);
        var stop = pair.First.Text[^1..] + pair.Second.Text[..1];
        var expected = text[..text.IndexOf(stop, StringComparison.Ordinal)];
        var answer = (await models.AnswerAsync(Path, Say("define a word", new { stop = new[] { "nowhere", stop } }))).GetProperty("choices")[0];
        Assert.Equal((expected, "stop"), (answer.GetProperty("message").GetProperty("content").GetString(), answer.GetProperty("finish_reason").GetString()));
        var chunks = await models.StreamAsync(Path, Say("define a word", new { stop, stream = true }));
        Assert.Equal(expected, string.Concat(chunks.Select(c => c.GetProperty("choices")[0].GetProperty("delta")).Select(d => d.TryGetProperty("content", out var c) ? c.GetString() : "")));
    }

    [Fact]
    public async Task SeveralAnswers_AreDrawnApart_AndASeedRepeatsThem()
    {
        var more = new { n = 3, temperature = 1.0, seed = 42L << 33 | 5, max_tokens = 12 };
        string?[] Contents(JsonElement answer) => [.. answer.GetProperty("choices").EnumerateArray().Select(c => c.GetProperty("message").GetProperty("content").GetString())];
        var first = Contents(await models.AnswerAsync(Path, Say("the people", more)));
        Assert.Equal(3, first.Distinct().Count());
        Assert.Equal(first, Contents(await models.AnswerAsync(Path, Say("the people", more))));
        var chunks = await models.StreamAsync(Path, Say("the people", new { more.n, more.temperature, more.seed, more.max_tokens, stream = true }));
        for (var i = 0; i < 3; i++)
            Assert.Equal(first[i], string.Concat(chunks.Select(c => c.GetProperty("choices")[0]).Where(c => c.GetProperty("index").GetInt32() == i).Select(c => c.GetProperty("delta").TryGetProperty("content", out var text) ? text.GetString() : "")));
    }

    [Fact]
    public async Task AFrequencyPenalty_MakesRepeatedTokensRare()
    {
        async Task<int> MostOften(double penalty) => (await models.AnswerAsync(Path, Say("a word is a word", new { frequency_penalty = penalty, logprobs = true, max_tokens = 40 }))).GetProperty("choices")[0].GetProperty("logprobs").GetProperty("content")
            .EnumerateArray().CountBy(t => t.GetProperty("bytes").GetRawText()).Max(c => c.Value);
        var (free, penalised) = (await MostOften(0), await MostOften(2));
        Assert.True(penalised < free, $"{penalised} times with the penalty, {free} without");
    }

    [Fact]
    public async Task JsonIsWritten_WhenItIsAskedFor()
    {
        var whatever = (await models.AnswerAsync(Path, Say("hello", new { response_format = new { type = "json_object" }, max_tokens = 300, temperature = 1.0, seed = 3 }))).GetProperty("choices")[0];
        if (whatever.GetProperty("finish_reason").GetString() == "stop")
            Assert.Equal(JsonValueKind.Object, JsonDocument.Parse(whatever.GetProperty("message").GetProperty("content").GetString()!).RootElement.ValueKind);
        var schema = new { type = "object", properties = new { colour = new { @enum = new[] { "red", "green" } }, count = new { type = "integer", minimum = 1, maximum = 9 } }, required = new[] { "colour", "count" }, additionalProperties = false };
        var answer = (await models.AnswerAsync(Path, Say("hello", new { response_format = new { type = "json_schema", json_schema = new { name = "thing", strict = true, schema } }, max_tokens = 200 }))).GetProperty("choices")[0];
        var value = JsonDocument.Parse(answer.GetProperty("message").GetProperty("content").GetString()!).RootElement;
        Assert.Contains(value.GetProperty("colour").GetString(), new[] { "red", "green" });
        Assert.InRange(value.GetProperty("count").GetInt32(), 1, 9);
        Assert.Equal("stop", answer.GetProperty("finish_reason").GetString());
    }

    [Fact]
    public async Task ASystemMessage_AndParts_ReachAModelThatKnowsOnlyUsers()
    {
        using var generator = TextGenerator.Load(models.Folder);
        var expected = generator.Tokenizer.Decode(generator.Format.Chat([new("user", "be brief\n\nhello\nthere")]), skipSpecial: false);
        var counted = await models.AnswerAsync("/v1/tokenize", new
        {
            model = OpenAIDeployments.Chat,
            messages = new object[] { new { role = "developer", content = "be brief" }, new { role = "user", content = new[] { new { type = "text", text = "hello" }, new { type = "text", text = "there" } } } },
        });
        var back = await models.AnswerAsync("/v1/detokenize", new { model = OpenAIDeployments.Chat, tokens = counted.GetProperty("tokens") });
        Assert.Equal(expected, back.GetProperty("prompt").GetString());
    }

    [Fact]
    public async Task AStreamThatIsGivenUp_StopsTheModel()
    {
        using var give = new CancellationTokenSource();
        using var request = new HttpRequestMessage(HttpMethod.Post, Path) { Content = System.Net.Http.Json.JsonContent.Create(Say("the last people of the language", new { stream = true, max_tokens = 400, min_tokens = 400 })) };
        using var answer = await models.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var trace = Assert.Single(answer.Headers.GetValues("x-llmops-trace"));
        var stream = await answer.Content.ReadAsStreamAsync();
        Assert.True(await stream.ReadAsync(new byte[16]) > 0);
        answer.Dispose();
        var kept = (await Eventually.ReadAsync(() => models.Product.Get<ReadTraces>().ListAsync(new(Search: trace), 0, 1), found => found.Rows.Count > 0)).Rows[0];
        Assert.StartsWith("Broken off after", kept.Error, StringComparison.Ordinal);
        Assert.InRange(kept.OutputTokens!.Value, 1, 399);
    }

    [Fact]
    public async Task AQuestionOverDocuments_IsAnsweredWithCitations()
    {
        object body = new { model = $"rag:{OpenAIDeployments.Docs}", messages = new[] { new { role = "user", content = "Who has to approve before an alias moves?" } } };
        using var sent = await models.PostAsync(Path, body);
        Assert.Equal("oai-docs/1", Assert.Single(sent.Headers.GetValues("x-llmops-index")));
        var answer = JsonDocument.Parse(await sent.Content.ReadAsStringAsync()).RootElement;
        var citation = Assert.Single(answer.GetProperty("citations").EnumerateArray());
        Assert.Equal(("aliases.md", "An alias moves only when a second person approves it."), (citation.GetProperty("document").GetString(), citation.GetProperty("sentence").GetString()));
        Assert.StartsWith("An alias moves only when a second person approves it. [", answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString(), StringComparison.Ordinal);
        var chunks = await models.StreamAsync(Path, new { model = $"rag:{OpenAIDeployments.Docs}", messages = new[] { new { role = "user", content = "Who has to approve before an alias moves?" } }, stream = true });
        Assert.Equal("aliases.md", chunks[^1].GetProperty("citations")[0].GetProperty("document").GetString());
        Assert.Equal(HttpStatusCode.OK, sent.StatusCode);
    }
}
