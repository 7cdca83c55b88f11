using System.Net;
using System.Runtime.InteropServices;
using System.Text.Json;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Retrieval;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Web.Serving;

namespace LlmOps.Web.Tests.Api.OpenAI;

[Collection(OpenAICollection.Name)]
public sealed class OtherEndpointTests(OpenAIDeployments models)
{
    [Fact]
    public async Task Models_AreListed_AndReadByAnyOfTheirNames()
    {
        async Task<JsonElement> GetAsync(string path) => JsonDocument.Parse(await models.Client.GetStringAsync(new Uri(path, UriKind.Relative))).RootElement;
        var list = await GetAsync("/v1/models");
        var names = list.GetProperty("data").EnumerateArray().Select(m => m.GetProperty("id").GetString()).ToList();
        Assert.Equal("list", list.GetProperty("object").GetString());
        Assert.Superset(new HashSet<string?> { "oai-chat", "rag:oai-docs", "oai-tools", "oai-lm@production", "oai-tools@production" }, names.ToHashSet());
        foreach (var name in new[] { "oai-chat", "rag:oai-docs", "oai-lm@production", "oai-lm/1", "oai-lm/1:fp32" })
        {
            var card = await GetAsync($"/v1/models/{Uri.EscapeDataString(name)}");
            Assert.Equal((name, "model", "llmops"), (card.GetProperty("id").GetString(), card.GetProperty("object").GetString(), card.GetProperty("owned_by").GetString()));
        }
    }

    [Theory]
    [InlineData("oai-chat", "oai-chat#1")]
    [InlineData("oai-lm@production", "oai-lm/1:fp32")]
    [InlineData("oai-lm/1", "oai-lm/1:fp32")]
    [InlineData("oai-lm/1:fp32", "oai-lm/1:fp32")]
    public async Task EveryName_SaysWhichRevisionAnswered(string model, string revision)
    {
        using var answer = await models.PostAsync("/v1/completions", new { model, prompt = "a word", max_tokens = 3, temperature = 0 });
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(revision, Assert.Single(answer.Headers.GetValues("x-llmops-revision")));
    }

    [Fact]
    public async Task Texts_AreContinued_EachAsByItself()
    {
        List<GeneratedToken> Alone(int[] prompt)
        {
            using var generator = TextGenerator.Load(models.Folder);
            return [.. generator.Generate(prompt, new(8))];
        }
        int[] tokens;
        using (var generator = TextGenerator.Load(models.Folder))
            tokens = [generator.Tokenizer.BosId!.Value, .. generator.Tokenizer.Encode("a small dog")];
        var expected = string.Concat(Alone(tokens).Select(t => t.Text));
        var answer = await models.AnswerAsync("/v1/completions", new { model = OpenAIDeployments.Chat, prompt = new[] { "a small dog", "the word" }, max_tokens = 8, temperature = 0, echo = true });
        Assert.Equal("text_completion", answer.GetProperty("object").GetString());
        Assert.Equal([0, 1], answer.GetProperty("choices").EnumerateArray().Select(c => c.GetProperty("index").GetInt32()));
        Assert.Equal("a small dog" + expected, answer.GetProperty("choices")[0].GetProperty("text").GetString());
        var byTokens = await models.AnswerAsync("/v1/completions", new { model = OpenAIDeployments.Chat, prompt = tokens, max_tokens = 8, temperature = 0, logprobs = 2 });
        var choice = byTokens.GetProperty("choices")[0];
        Assert.Equal(expected, choice.GetProperty("text").GetString());
        var alone = Alone(tokens).Where(t => t.Finish != FinishReason.EndOfText).ToList();
        Assert.Equal(alone.Select(t => Math.Round(t.LogProbability, 4)), choice.GetProperty("logprobs").GetProperty("token_logprobs").EnumerateArray().Select(p => Math.Round(p.GetDouble(), 4)), (a, b) => Math.Abs(a - b) < 0.0003);
        Assert.All(choice.GetProperty("logprobs").GetProperty("top_logprobs").EnumerateArray(), t => Assert.InRange(t.EnumerateObject().Count(), 1, 2));
        Assert.Equal(0, choice.GetProperty("logprobs").GetProperty("text_offset")[0].GetInt32());
        var chunks = await models.StreamAsync("/v1/completions", new { model = OpenAIDeployments.Chat, prompt = new[] { "a small dog", "the word" }, max_tokens = 8, temperature = 0, stream = true, stream_options = new { include_usage = true } });
        Assert.Equal(expected, string.Concat(chunks[..^1].Select(c => c.GetProperty("choices")[0]).Where(c => c.GetProperty("index").GetInt32() == 0).Select(c => c.GetProperty("text").GetString())));
        Assert.Equal(answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32(), chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public async Task Embeddings_AreTheEncodersOwn_AsNumbersAndAsBytes()
    {
        string[] texts = ["a small dog", "the language of the people"];
        var numbers = await models.AnswerAsync("/v1/embeddings", new { model = "oai-encoder/1", input = texts });
        var bytes = await models.AnswerAsync("/v1/embeddings", new { model = "oai-encoder/1", input = texts, encoding_format = "base64" });
        using var encoder = EncoderEmbedder.Load(models.EncoderFolder);
        for (var i = 0; i < texts.Length; i++)
        {
            var expected = encoder.Embed(texts[i]);
            Assert.Equal(expected, numbers.GetProperty("data")[i].GetProperty("embedding").EnumerateArray().Select(v => v.GetSingle()), (a, b) => Math.Abs(a - b) < 1e-5);
            Assert.Equal(expected, MemoryMarshal.Cast<byte, float>(bytes.GetProperty("data")[i].GetProperty("embedding").GetBytesFromBase64()).ToArray(), (a, b) => Math.Abs(a - b) < 1e-5);
        }
        Assert.Equal(texts.Sum(encoder.Count), numbers.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
        var index = await models.AnswerAsync("/v1/embeddings", new { model = "rag:oai-docs", input = "lease" });
        Assert.Equal(1, index.GetProperty("data")[0].GetProperty("embedding").EnumerateArray().Sum(v => v.GetDouble() * v.GetDouble()), 1e-4);
        var traces = JsonDocument.Parse(await models.Client.GetStringAsync(new Uri("/api/v1/traces?kind=embeddings&outcome=answered&take=500", UriKind.Relative))).RootElement.GetProperty("rows").EnumerateArray().ToList();
        var traced = traces.First(t => t.GetProperty("input").GetString() == string.Join('\n', texts));
        Assert.Equal(texts.Sum(encoder.Count), traced.GetProperty("input_tokens").GetInt32());
        Assert.Contains(traces, t => t.GetProperty("input").GetString() == "lease");
        using var chat = await models.PostAsync("/v1/embeddings", new { model = OpenAIDeployments.Chat, input = "x" });
        Assert.Equal(HttpStatusCode.BadRequest, chat.StatusCode);
        Assert.Contains("makes no embeddings", await chat.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Documents_AreOrderedByTheCosineOfTheirVectors()
    {
        string[] documents = ["the quick brown fox", "a small dog is a young dog", "what the word means"];
        using var encoder = EncoderEmbedder.Load(models.EncoderFolder);
        double Cosine(string a, string b)
        {
            var (x, y) = (encoder.Embed(a), encoder.Embed(b));
            return x.Zip(y, (p, q) => (double)p * q).Sum() / Math.Sqrt(x.Sum(p => (double)p * p) * y.Sum(q => (double)q * q));
        }
        var expected = documents.Select((d, i) => (Index: i, Score: Cosine("a young dog", d))).OrderByDescending(d => d.Score).Take(2).ToList();
        var ranked = (await models.AnswerAsync("/rerank", new { model = "oai-encoder/1", query = "a young dog", documents, top_n = 2 })).GetProperty("results").EnumerateArray().ToList();
        Assert.Equal(expected.Select(e => e.Index), ranked.Select(r => r.GetProperty("index").GetInt32()));
        Assert.Equal(expected.Select(e => e.Score), ranked.Select(r => r.GetProperty("relevance_score").GetDouble()), (a, b) => Math.Abs(a - b) < 1e-4);
        Assert.Equal(documents[expected[0].Index], ranked[0].GetProperty("document").GetProperty("text").GetString());
        var scores = (await models.AnswerAsync("/v1/score", new { model = "oai-encoder/1", text_1 = "a young dog", text_2 = documents })).GetProperty("data").EnumerateArray().Select(s => s.GetProperty("score").GetDouble());
        Assert.Equal(documents.Select(d => Cosine("a young dog", d)), scores, (a, b) => Math.Abs(a - b) < 1e-4);
    }

    [Fact]
    public void TheSameUser_GetsTheSameRevision_AndUsersAreSharedOutAsTheRevisionsSay()
    {
        ServingRevision[] revisions = [.. new[] { (1, 90), (2, 10) }.Select(r => new ServingRevision("d", DeploymentKind.Chat, false, r.Item1, r.Item2, "m", 1, "fp32", "", null, null))];
        var users = Enumerable.Range(0, 5000).Select(i => $"user-{i}").ToList();
        var first = users.Select(u => revisions.For(u).Number).ToList();
        Assert.Equal(first, users.Select(u => revisions.For(u).Number));
        Assert.InRange(first.Count(n => n == 2), 430, 570);
        // Whoever had the new revision keeps it when its share grows.
        ServingRevision[] later = [revisions[0] with { TrafficPercent = 70 }, revisions[1] with { TrafficPercent = 30 }];
        Assert.All(users.Zip(first).Where(u => u.Second == 2), u => Assert.Equal(2, later.For(u.First).Number));
    }
}
