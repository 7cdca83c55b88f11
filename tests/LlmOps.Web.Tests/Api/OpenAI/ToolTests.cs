using System.Net;
using System.Text.Json;
using LlmOps.Web.Api.OpenAI;

namespace LlmOps.Web.Tests.Api.OpenAI;

[Collection(OpenAICollection.Name)]
public sealed class ToolTests(OpenAIDeployments models)
{
    private const string Path = "/v1/chat/completions";

    private static readonly object[] Offered =
    [
        new { type = "function", function = new { name = "weather", description = "Weather of a town", parameters = new { type = "object", properties = new { town = new { @enum = new[] { "Oslo", "Rome" } }, days = new { type = "integer", minimum = 1, maximum = 5 } }, required = new[] { "town", "days" }, additionalProperties = false } } },
        new { type = "function", function = new { name = "time" } },
    ];

    private static object Ask(object choice, bool stream = false, string model = OpenAIDeployments.Tools) =>
        new { model, messages = new[] { new { role = "user", content = "what is it like" } }, tools = Offered, tool_choice = choice, temperature = 0, max_tokens = 200, stream };

    [Fact]
    public async Task ADemandedCall_HasANameThatIsOffered_AndArgumentsThatItsSchemaAllows()
    {
        var choice = (await models.AnswerAsync(Path, Ask(new { type = "function", function = new { name = "weather" } }))).GetProperty("choices")[0];
        Assert.Equal("tool_calls", choice.GetProperty("finish_reason").GetString());
        Assert.Equal(JsonValueKind.Null, choice.GetProperty("message").GetProperty("content").ValueKind);
        var call = Assert.Single(choice.GetProperty("message").GetProperty("tool_calls").EnumerateArray());
        Assert.StartsWith("call_", call.GetProperty("id").GetString(), StringComparison.Ordinal);
        Assert.Equal(("function", "weather"), (call.GetProperty("type").GetString(), call.GetProperty("function").GetProperty("name").GetString()));
        var arguments = JsonDocument.Parse(call.GetProperty("function").GetProperty("arguments").GetString()!).RootElement;
        Assert.Contains(arguments.GetProperty("town").GetString(), new[] { "Oslo", "Rome" });
        Assert.InRange(arguments.GetProperty("days").GetInt32(), 1, 5);
        Assert.Contains((await models.AnswerAsync(Path, Ask("required"))).GetProperty("choices")[0].GetProperty("message").GetProperty("tool_calls")[0].GetProperty("function").GetProperty("name").GetString(), new[] { "weather", "time" });
    }

    [Fact]
    public async Task AStreamedCall_IsTheSame()
    {
        var named = new { type = "function", function = new { name = "weather" } };
        var whole = (await models.AnswerAsync(Path, Ask(named))).GetProperty("choices")[0].GetProperty("message").GetProperty("tool_calls")[0].GetProperty("function");
        var choices = (await models.StreamAsync(Path, Ask(named, stream: true))).Select(c => c.GetProperty("choices")[0]).ToList();
        var call = Assert.Single(choices, c => c.GetProperty("delta").TryGetProperty("tool_calls", out _)).GetProperty("delta").GetProperty("tool_calls")[0];
        Assert.Equal(0, call.GetProperty("index").GetInt32());
        Assert.Equal(whole.GetRawText(), call.GetProperty("function").GetRawText());
        Assert.Equal("tool_calls", choices[^1].GetProperty("finish_reason").GetString());
    }

    [Fact]
    public async Task WhatWasCalledBefore_ReachesTheTemplate_WithArgumentsAsValues()
    {
        object[] messages =
        [
            new { role = "user", content = "how is Oslo" },
            new { role = "assistant", content = (string?)null, tool_calls = new[] { new { id = "call_1", type = "function", function = new { name = "weather", arguments = """{"town":"Oslo","days":1}""" } } } },
            new { role = "tool", tool_call_id = "call_1", content = "rain" },
        ];
        var tokens = (await models.AnswerAsync("/tokenize", new { model = OpenAIDeployments.Tools, messages })).GetProperty("tokens");
        var text = (await models.AnswerAsync("/detokenize", new { model = OpenAIDeployments.Tools, tokens })).GetProperty("prompt").GetString();
        Assert.EndsWith("user: how is Oslo\nassistant: weather({\"town\": \"Oslo\", \"days\": 1})\ntool: rain\nassistant: ", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AModelWithoutAPlaceForTools_SaysSo()
    {
        using var answer = await models.PostAsync(Path, Ask("auto", model: OpenAIDeployments.Chat));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("chat template has no place for tools", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        // To offer them and forbid their use is no demand.
        using var none = await models.PostAsync(Path, Ask("none", model: OpenAIDeployments.Chat));
        Assert.Equal(HttpStatusCode.OK, none.StatusCode);
    }

    [Theory]
    [InlineData("""<tool_call>\n{"name":"time","arguments":{}}\n</tool_call>""", "", """time({})""")]
    [InlineData("""Let me look.\n<tool_call>{"name":"weather","arguments":{"town":"Oslo"}}</tool_call>\n<tool_call>{"name":"time"}</tool_call>""", "Let me look.\\n", """weather({"town":"Oslo"}) time({})""")]
    [InlineData("""{"name":"weather","parameters":{"town":"Rome"}}""", "", """weather({"town":"Rome"})""")]
    [InlineData("""[{"name":"time","arguments":"{}"}]""", "", "time({})")]
    [InlineData("""{"name":"rocket","arguments":{}}""", """{"name":"rocket","arguments":{}}""", "")]
    [InlineData("""{"a": 1}""", """{"a": 1}""", "")]
    [InlineData("""1 < 2 <tool, all plain""", """1 < 2 <tool, all plain""", "")]
    [InlineData("""said, then { braces }""", """said, then { braces }""", "")]
    [InlineData("""<tool_call>{"name":"time","arg""", """<tool_call>{"name":"time","arg""", "")]
    public void Calls_AreFoundInWhatModelsWrite_HoweverItIsCut(string written, string text, string calls)
    {
        var tools = Tools.Read(JsonSerializer.SerializeToElement(Offered), null);
        var all = written.Replace("\\n", "\n", StringComparison.Ordinal);
        for (var size = 1; size <= all.Length; size += 3)
        {
            var reader = new ToolCallReader(tools);
            var said = string.Concat(all.Chunk(size).Select(c => reader.Push(new string(c))));
            var (rest, found) = reader.Finish();
            Assert.Equal(text.Replace("\\n", "\n", StringComparison.Ordinal), said + rest);
            Assert.Equal(calls, string.Join(' ', found.Select(c => $"{c.Function.Name}({c.Function.Arguments})")));
        }
    }
}
