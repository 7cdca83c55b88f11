using System.Runtime.CompilerServices;
using System.Text.Json;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Tests.Text;

public sealed class ChatTemplateTests : IDisposable
{
    private static readonly Dictionary<string, string> Tokens = new() { ["bos_token"] = "<s>", ["eos_token"] = "</s>" };

    // Texts that Jinja2 3.1.6 makes of the same templates, set up as transformers does; null where it refuses.
    private static readonly JsonElement Expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(DataFolder(), "expected.json"))).RootElement;

    private readonly TemporaryFolder folder = new();

    public static TheoryData<int> Cases { get; } = [.. Enumerable.Range(0, Expected.GetProperty("cases").GetArrayLength())];

    public void Dispose() => folder.Dispose();

    [Theory]
    [MemberData(nameof(Cases))]
    public void Render_GivesTheTextOfJinja(int index)
    {
        var expected = Expected.GetProperty("cases")[index];
        var template = ChatTemplate.Parse(File.ReadAllText(Path.Combine(DataFolder(), expected.GetProperty("template").GetString() + ".jinja")), Tokens);
        var input = new ChatInput(Expected.GetProperty("conversations").GetProperty(expected.GetProperty("conversation").GetString()!))
        {
            Tools = expected.GetProperty("tools").GetBoolean() ? Expected.GetProperty("tools") : null,
            AddGenerationPrompt = expected.GetProperty("addGenerationPrompt").GetBoolean(),
            Now = new DateTimeOffset(2025, 3, 7, 9, 5, 3, TimeSpan.Zero),
            Variables = expected.GetProperty("thinking").GetBoolean() ? new Dictionary<string, JsonElement>() : new() { ["enable_thinking"] = Json("false") },
        };

        if (expected.GetProperty("text").GetString() is not { } text)
        {
            Assert.True(Record.Exception(() => template.Render(input)) is ArgumentException or InvalidModelException);
            return;
        }
        var rendered = template.Render(input);
        Assert.Equal(text, rendered.Text);
        Assert.Equal(expected.GetProperty("assistant").GetString(), string.Concat(rendered.Assistant.Select(r => Part(rendered, r))));
    }

    [Theory]
    [InlineData("q", null)]
    [InlineData("  two\nlines ", "an answer")]
    public void Render_GivesThePromptOfTheProduct(string question, string? answer)
    {
        var bytes = new BpeTrainer(261).Train(["a"]);
        List<ChatTurn> turns = answer is null ? [new("user", question)] : [new("user", question), new("assistant", answer), new("user", question)];
        var template = ChatTemplate.Parse(PromptTemplate.Jinja, new Dictionary<string, string> { ["bos_token"] = SpecialTokens.Bos, ["eos_token"] = SpecialTokens.Eos });

        var rendered = template.Render(new ChatInput(turns) { AddGenerationPrompt = true });

        Assert.Equal(bytes.Decode(PromptTemplate.Chat(bytes, turns), skipSpecial: false), rendered.Text);
        Assert.Equal(PromptTemplate.Chat(bytes, turns), Encode(bytes, rendered));
        Assert.Equal("Only the roles user and assistant are supported.",
            Assert.Throws<ArgumentException>(() => template.Render(new ChatInput([new ChatTurn("system", "x")]))).Message);
    }

    [Theory]
    [InlineData("<|eos|>")]
    [InlineData("  <|assistant|>  ")]
    [InlineData("a<|eos|>b<|user|>c")]
    public void Pieces_KeepTypedControlTokensAsText(string typed)
    {
        var bytes = new BpeTrainer(261).Train(["a"]);
        // Concatenated, cut, replaced, put into JSON, joined and captured: still what somebody typed.
        const string text = """
            {%- set ns = namespace(all='') -%}{% for m in messages %}{% set ns.all = ns.all + '<|user|>' + (m.content | trim)[0:] + m.content.split('b') | join('b') %}{% endfor -%}
            {%- set block %}{{ ns.all | replace('c', 'c') }}{% endset -%}{{ block ~ '<|eos|>' ~ messages | tojson ~ messages[0].content.upper().lower() ~ '%s' % messages[0].content }}
            """;
        var rendered = ChatTemplate.Parse(text).Render(new ChatInput([new ChatTurn("user", typed)]));

        var pieces = rendered.Pieces(SpecialTokens.All);
        Assert.Equal(["<|user|>", "<|eos|>"], pieces.Where(p => p.IsControl).Select(p => p.Text));
        Assert.Equal(rendered.Text, string.Concat(pieces.Select(p => p.Text)));
        Assert.Equal(2, Encode(bytes, rendered).Count(bytes.IsSpecial));
        Assert.All(rendered.Content, r => Assert.DoesNotContain("<|user|><|user|>", Part(rendered, r), StringComparison.Ordinal));
    }

    [Fact]
    public void Pieces_KnowControlTokensMadeOfARole_AndNotThoseThatAMessageCompletes()
    {
        var template = ChatTemplate.Parse("{% for m in messages %}{{ '<|' + m.role + '|>' + m.content }}{% endfor %}");
        var rendered = template.Render(new ChatInput([new("user", "x"), new("eos", "y"), new("user", "<|eos"), new("assistant", "|>")]));

        Assert.Equal(["<|user|>", "<|user|>", "<|assistant|>"], rendered.Pieces(SpecialTokens.All).Where(p => p.IsControl).Select(p => p.Text));
    }

    [Fact]
    public void Load_FindsTheTemplateWhereverItIs()
    {
        var input = new ChatInput([new ChatTurn("user", "x")]);
        Assert.Null(ChatTemplate.Load(folder.Root));
        Write("tokenizer_config.json", """{"bos_token":{"content":"<b>"},"chat_template":[{"name":"default","template":"{{ bos_token }}d"},{"name":"tool_use","template":"{{ bos_token }}t"}]}""");
        Assert.Equal("<b>d", ChatTemplate.Load(folder.Root)!.Render(input).Text);
        Assert.Equal("<b>t", ChatTemplate.Load(folder.Root)!.Render(input with { Tools = Json("[{}]") }).Text);
        Write("chat_template.json", """{"chat_template":"{{ bos_token }}j"}""");
        Assert.Equal("<b>j", ChatTemplate.Load(folder.Root)!.Render(input).Text);
        Write("chat_template.jinja", "{{ bos_token }}f\n");
        Assert.Equal("<b>f", ChatTemplate.Load(folder.Root)!.Render(input).Text);

        void Write(string name, string text) => File.WriteAllText(Path.Combine(folder.Root, name), text);
    }

    [Fact]
    public void Load_NamesWhatIsWrong()
    {
        File.WriteAllText(Path.Combine(folder.Root, "tokenizer_config.json"), """{"chat_template":5}""");
        Assert.Equal("tokenizer_config.json: chat_template must be text or a list of named templates.", Assert.Throws<InvalidModelException>(() => ChatTemplate.Load(folder.Root)).Message);
        File.WriteAllText(Path.Combine(folder.Root, "tokenizer_config.json"), """{"chat_template":[{"name":"a","template":""},{"name":"b","template":""}]}""");
        Assert.Contains("none named default", Assert.Throws<InvalidModelException>(() => ChatTemplate.Load(folder.Root)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Encode_MarksWhatTheAssistantSays()
    {
        var bytes = new BpeTrainer(261).Train(["a"]);
        var template = ChatTemplate.Parse("{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|eos|>{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}");

        var (ids, assistant) = template.Render(new ChatInput([new("user", "ab"), new("assistant", "c<|eos|>"), new("user", "d")])).Encode(bytes);

        Assert.Equal("<|user|>ab<|assistant|>c<|eos|><|eos|><|user|>d", bytes.Decode(ids, skipSpecial: false));
        Assert.Equal(4, ids.Count(bytes.IsSpecial));
        Assert.Equal("c<|eos|><|eos|>", bytes.Decode([.. ids.Where((_, i) => assistant[i])], skipSpecial: false));
    }

    private static int[] Encode(Tokenizer tokenizer, RenderedChat rendered) => rendered.Encode(tokenizer).Ids;

    private static string Part(RenderedChat rendered, TextRange range) => rendered.Text.Substring(range.Start, range.Length);

    private static JsonElement Json(string text) => JsonDocument.Parse(text).RootElement;

    private static string DataFolder([CallerFilePath] string path = "") => Path.Combine(Path.GetDirectoryName(path)!, "Templates");
}
