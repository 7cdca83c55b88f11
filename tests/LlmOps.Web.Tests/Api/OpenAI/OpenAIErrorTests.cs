using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LlmOps.Lifecycle.Identity;

namespace LlmOps.Web.Tests.Api.OpenAI;

[Collection(OpenAICollection.Name)]
public sealed class OpenAIErrorTests(OpenAIDeployments models)
{
    private static async Task EnsureAsync(HttpResponseMessage answer, HttpStatusCode status, string type, string? code, string? param)
    {
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(status == answer.StatusCode, text);
        var error = JsonDocument.Parse(text).RootElement.GetProperty("error");
        Assert.Equal((type, code, param), (error.GetProperty("type").GetString(), error.GetProperty("code").GetString(), error.GetProperty("param").GetString()));
        Assert.False(string.IsNullOrWhiteSpace(error.GetProperty("message").GetString()));
    }

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    [Theory]
    [InlineData("""{"messages":[{"role":"user","content":"x"}]}""", "model")]
    [InlineData("""{"model":"oai-chat"}""", "messages")]
    [InlineData("""{"model":"oai-chat","messages":[]}""", "messages")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"wizard","content":"x"}]}""", "messages[0].role")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user"}]}""", "messages[0].content")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}""", "messages[0].content")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user","content":"x"}],"temperature":3}""", "temperature")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user","content":"x"}],"top_p":0}""", "top_p")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user","content":"x"}],"n":17}""", "n")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user","content":"x"}],"max_tokens":0}""", "max_tokens")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user","content":"x"}],"stop":[1]}""", "stop")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user","content":"x"}],"stop":""}""", "stop")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user","content":"x"}],"top_logprobs":3}""", "top_logprobs")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user","content":"x"}],"logprobs":true,"top_logprobs":21}""", "top_logprobs")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user","content":"x"}],"frequency_penalty":-3}""", "frequency_penalty")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user","content":"x"}],"logit_bias":{"a":1}}""", "logit_bias")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user","content":"x"}],"logit_bias":{"99999":1}}""", "logit_bias")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user","content":"x"}],"response_format":{"type":"yaml"}}""", "response_format")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object","patternProperties":{"^(?=a)":{}}}}}}""", "response_format")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user","content":"x"}],"tool_choice":"required"}""", "tool_choice")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function"}]}""", "tools[0]")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"assistant","content":"x"}]}""", "messages")]
    public async Task AFieldThatCannotBe_IsNamed(string body, string param)
    {
        using var answer = await models.Client.PostAsync(new Uri("/v1/chat/completions", UriKind.Relative), Json(body));
        await EnsureAsync(answer, HttpStatusCode.BadRequest, "invalid_request_error", null, param);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("")]
    [InlineData("""{"model":"oai-chat","messages":[{"role":"user","content":"x"}],"n":"two"}""")]
    [InlineData("""{"model":7,"messages":[]}""")]
    public async Task WhatIsNoSuchJson_IsABadRequest(string body)
    {
        using var answer = await models.Client.PostAsync(new Uri("/v1/chat/completions", UriKind.Relative), Json(body));
        await EnsureAsync(answer, HttpStatusCode.BadRequest, "invalid_request_error", null, null);
    }

    [Theory]
    [InlineData("gpt-4o")]
    [InlineData("rag:oai-chat")]
    [InlineData("oai-docs")]
    [InlineData("oai-lm/99")]
    [InlineData("oai-lm/1:int3")]
    [InlineData("oai-lm/one")]
    [InlineData("oai-lm@staging")]
    [InlineData("../../etc/passwd")]
    [InlineData("'; drop table deployments; --")]
    public async Task AModelThatIsNotThere_IsNotFound(string model)
    {
        using var answer = await models.PostAsync("/v1/chat/completions", new { model, messages = new[] { new { role = "user", content = "x" } } });
        await EnsureAsync(answer, HttpStatusCode.NotFound, "not_found_error", "model_not_found", "model");
        using var read = await models.Client.GetAsync(new Uri($"/v1/models/{Uri.EscapeDataString(model)}", UriKind.Relative));
        await EnsureAsync(read, HttpStatusCode.NotFound, "not_found_error", "model_not_found", "model");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ALongPrompt_IsToldFromOtherMistakes(bool stream)
    {
        using var answer = await models.PostAsync("/v1/chat/completions", new { model = OpenAIDeployments.Chat, stream, messages = new[] { new { role = "user", content = string.Join(' ', Enumerable.Repeat("zebra", 400)) } } });
        await EnsureAsync(answer, HttpStatusCode.BadRequest, "invalid_request_error", "context_length_exceeded", "messages");
    }

    [Fact]
    public async Task WhoMayNot_LearnsItInTheSameShape()
    {
        var body = new { model = OpenAIDeployments.Chat, messages = new[] { new { role = "user", content = "x" } } };
        using var visitor = models.Product.Visitor();
        using var nobody = await visitor.PostAsJsonAsync("/v1/chat/completions", body);
        await EnsureAsync(nobody, HttpStatusCode.Unauthorized, "authentication_error", "invalid_api_key", null);
        using var stranger = models.Product.With(new("Bearer", "llmops_" + new string('0', 64)));
        using var unknown = await stranger.GetAsync(new Uri("/v1/models", UriKind.Relative));
        await EnsureAsync(unknown, HttpStatusCode.Unauthorized, "authentication_error", "invalid_api_key", null);
        using var reader = await models.Product.ProgramAsync(Roles.Admin, Permission.Read);
        using var forbidden = await reader.PostAsJsonAsync("/v1/chat/completions", body);
        await EnsureAsync(forbidden, HttpStatusCode.Forbidden, "permission_error", "permission_denied", null);
    }

    [Fact]
    public async Task AVersionThatNobodyApproved_AnswersThoseWhoMakeModels_AndNobodyElse()
    {
        var body = new { model = $"{OpenAIDeployments.Draft}/1", messages = new[] { new { role = "user", content = "x" } }, max_tokens = 1 };
        using var made = await models.PostAsync("/v1/chat/completions", body);
        Assert.Equal(HttpStatusCode.OK, made.StatusCode);
        Assert.Equal("oai-draft/1:fp32", Assert.Single(made.Headers.GetValues("x-llmops-revision")));
        using var chatter = await models.Product.ProgramAsync(Roles.Engineer, Permission.Chat);
        using var refused = await chatter.PostAsJsonAsync("/v1/chat/completions", body);
        await EnsureAsync(refused, HttpStatusCode.Forbidden, "permission_error", "permission_denied", null);
        // An alias that is no environment moves at the word of whoever makes models, and is no way around the approval.
        await models.Product.Get<LlmOps.Lifecycle.Registry.PointAlias>().SetAsync(OpenAIDeployments.Draft, "latest_try", 1, OpenAIDeployments.Engineer);
        var pointed = body with { model = $"{OpenAIDeployments.Draft}@latest_try" };
        using var maker = await models.PostAsync("/v1/chat/completions", pointed);
        Assert.Equal(HttpStatusCode.OK, maker.StatusCode);
        using var around = await chatter.PostAsJsonAsync("/v1/chat/completions", pointed);
        await EnsureAsync(around, HttpStatusCode.Forbidden, "permission_error", "permission_denied", null);
        using var approved = await chatter.PostAsJsonAsync("/v1/chat/completions", new { model = $"{OpenAIDeployments.Model}/1", body.messages, body.max_tokens });
        Assert.Equal(HttpStatusCode.OK, approved.StatusCode);
    }

    [Fact]
    public async Task AnAddressThatIsNotThere_AndAMethodThatIsNotTaken_AnswerInTheSameShape()
    {
        using var missing = await models.Client.GetAsync(new Uri("/v1/assistants", UriKind.Relative));
        await EnsureAsync(missing, HttpStatusCode.NotFound, "not_found_error", null, null);
        using var method = await models.Client.DeleteAsync(new Uri("/v1/chat/completions", UriKind.Relative));
        await EnsureAsync(method, HttpStatusCode.MethodNotAllowed, "invalid_request_error", null, null);
        using var text = await models.Client.PostAsync(new Uri("/v1/chat/completions", UriKind.Relative), new StringContent("hello", Encoding.UTF8, "text/plain"));
        await EnsureAsync(text, HttpStatusCode.UnsupportedMediaType, "invalid_request_error", null, null);
    }
}
