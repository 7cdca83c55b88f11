using System.Text.Json;
using LlmOps.Engines.Text;
using LlmOps.Engines.Text.Formats;

namespace LlmOps.Training.Tests;

/// <summary>Each format of a data set as its own documentation writes it.</summary>
public sealed class RowFormatTests
{
    [Theory]
    [InlineData("""{"text":"a"}""", RowFormat.Text)]
    [InlineData("""{"messages":[]}""", RowFormat.Messages)]
    [InlineData("""{"prompt":"a","completion":"b"}""", RowFormat.PromptCompletion)]
    [InlineData("""{"prompt":"a","completion":"b","label":null}""", RowFormat.PromptCompletion)]
    [InlineData("""{"prompt":"a","completion":"b","label":false}""", RowFormat.Unpaired)]
    [InlineData("""{"prompt":"a","chosen":"b","rejected":"c"}""", RowFormat.Preference)]
    [InlineData("""{"chosen":"a b","rejected":"a c"}""", RowFormat.ImplicitPreference)]
    [InlineData("""{"prompt":"a","completions":["b"],"labels":[true]}""", RowFormat.Stepwise)]
    [InlineData("""{"instruction":"a","input":"","output":"b"}""", RowFormat.Alpaca)]
    [InlineData("""{"instruction":"a","chosen":"b","rejected":"c"}""", RowFormat.Alpaca)]
    [InlineData("""{"conversations":[],"chosen":{},"rejected":{}}""", RowFormat.ShareGpt)]
    [InlineData("""{"prompt":"a"}""", RowFormat.PromptOnly)]
    public void Detect_TellsTheFormatByTheColumns(string row, RowFormat expected) => Assert.Equal(expected, RowFormats.Detect(Row(row).Row));

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"question":"a","answer":"b"}""")]
    [InlineData("[1]")]
    public void Detect_KnowsNoFormat_WhereThereIsNone(string row) => Assert.Null(RowFormats.Detect(JsonDocument.Parse(row).RootElement));

    [Fact]
    public void Examples_AreReadFromEveryFormatThatHoldsAnswers()
    {
        Assert.Equal(new TextExample("a b"), Read("""{"text":"a b"}"""));
        Assert.Equal(new AnswerExample("a", "b", "w"), Read("""{"prompt":"a","completion":"b","headword":"w"}"""));
        Assert.Equal(new AnswerExample("a", "b"), Read("""{"prompt":"a","completion":"b","label":true}"""));
        Assert.Equal(new AnswerExample("Add.\n1 2", "3"), Read("""{"instruction":"Add.","input":"1 2","output":"3","system":"","history":[]}"""));
        Assert.Equal(new AnswerExample("Add.", "3"), Read("""{"instruction":"Add.","input":"","output":"3"}"""));
        AssertTalk("""{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}""", 0, "system:s", "user:a", "assistant:b");
        AssertTalk("""{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":"c"}]}""", 0, "user:ab", "assistant:c");
        AssertTalk("""{"prompt":[{"role":"user","content":"a"}],"completion":[{"role":"assistant","content":"b"}]}""", 1, "user:a", "assistant:b");
        AssertTalk("""{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}],"system":"s"}""", 0, "system:s", "user:a", "assistant:b");
        AssertTalk("""{"instruction":"c","output":"d","system":"s","history":[["a","b"]]}""", 0, "system:s", "user:a", "assistant:b", "user:c", "assistant:d");
        AssertTalk("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"given":1,"prompt":"a","completion":"b"}""", 1, "user:a", "assistant:b");
    }

    [Theory]
    [InlineData("""{"messages":[{"role":"user","content":"a"}]}""", "no turn of the assistant")]
    [InlineData("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":""}]}""", "a turn of the assistant is empty")]
    [InlineData("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[]}]}""", "turn 2 of 'messages' calls a tool")]
    [InlineData("""{"messages":[{"content":"a"}]}""", "turn 1 of 'messages' has neither 'role' nor 'from'")]
    [InlineData("""{"messages":["a"]}""", "turn 1 of 'messages' is text")]
    [InlineData("""{"messages":[{"role":"user","content":[{"type":"image"}]},{"role":"assistant","content":"b"}]}""", "parts that are no text")]
    [InlineData("""{"prompt":"a","completion":" "}""", "\"completion\" is empty")]
    [InlineData("""{"prompt":"a","completion":"b","label":false}""", "undesirable")]
    [InlineData("""{"instruction":"a","output":"b","kto_tag":false}""", "undesirable")]
    [InlineData("""{"prompt":"a","chosen":"b","rejected":"c"}""", "pairs of answers hold no answer")]
    [InlineData("""{"prompt":"a"}""", "prompts without an answer")]
    [InlineData("""{"prompt":"a","completions":["b"],"labels":[true]}""", "step by step")]
    [InlineData("""{"question":"a"}""", "no known format")]
    [InlineData("""{"text":"\ud800"}""", "surrogate")]
    [InlineData("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"tools":[{"name":"f"}]}""", "describes tools")]
    public void RowThatCannotBeLearnt_IsRefused_WithItsLineAndReason(string row, string reason)
    {
        var refusal = Assert.Throws<InvalidDatasetException>(() => Read(row));

        Assert.Equal(9, refusal.Line);
        Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"prompt":"a","chosen":"b","rejected":"c","rejected_kind":"k"}""", "a", "b", "c")]
    [InlineData("""{"chosen":"Who? It is me.","rejected":"Who? It is you."}""", "Who? It is", "me.", "you.")]
    [InlineData("""{"chosen":"Who? medium","rejected":"Who? melon"}""", "Who?", "medium", "melon")]
    [InlineData("""{"chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"rejected":[{"role":"user","content":"a"},{"role":"assistant","content":"c"}]}""", "a", "b", "c")]
    [InlineData("""{"prompt":[{"role":"system","content":"s"},{"role":"user","content":"a"}],"chosen":[{"role":"assistant","content":"b"}],"rejected":[{"role":"assistant","content":"c"}]}""", "s\n\na", "b", "c")]
    [InlineData("""{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"x"},{"from":"human","value":"y"}],"chosen":{"from":"gpt","value":"b"},"rejected":{"from":"gpt","value":"c"}}""", "user: a\nassistant: x\nuser: y", "b", "c")]
    [InlineData("""{"instruction":"a","input":"i","chosen":"b","rejected":"c"}""", "a\ni", "b", "c")]
    public void Pairs_AreReadFromEveryFormatThatHoldsThem(string row, string prompt, string chosen, string rejected)
    {
        PreferenceExample pair = RowReader.Preference(Row(row));

        Assert.Equal((prompt, chosen, rejected), (pair.Prompt, pair.Chosen, pair.Rejected));
    }

    [Theory]
    [InlineData("""{"chosen":"a","rejected":"b"}""", "no common beginning")]
    [InlineData("""{"chosen":"a b ","rejected":"a b c"}""", "the beginning of the other")]
    [InlineData("""{"prompt":"p","chosen":"a","rejected":"a"}""", "the same")]
    [InlineData("""{"chosen":[{"role":"user","content":"a"}],"rejected":[{"role":"user","content":"a"}]}""", "the same")]
    [InlineData("""{"prompt":"a","completion":"b"}""", "are no pairs")]
    public void PairWithNothingToPrefer_IsRefused(string row, string reason)
        => Assert.Contains(reason, Assert.Throws<InvalidDatasetException>(() => RowReader.Preference(Row(row))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"prompt":"a","completion":"b","label":false}""", "a", "b", false)]
    [InlineData("""{"prompt":[{"role":"user","content":"a"}],"completion":[{"role":"assistant","content":"b"}],"label":1}""", "a", "b", true)]
    [InlineData("""{"instruction":"a","input":"","output":"b","kto_tag":true}""", "a", "b", true)]
    [InlineData("""{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}],"kto_tag":false}""", "a", "b", false)]
    public void MarkedAnswers_AreReadFromEveryFormatThatHoldsThem(string row, string prompt, string completion, bool label)
        => Assert.Equal(new UnpairedExample(prompt, completion, label, ""), RowReader.Unpaired(Row(row)));

    [Fact]
    public void CanonicalRow_KeepsTheConversation_AndEveryColumnItWasNotMadeOf()
    {
        string json = CanonicalRow.Instruction(Row("""{"conversations":[{"from":"human","value":"é"},{"from":"gpt","value":"b"}],"source":{"id":7}}"""));

        Assert.Equal("""{"source":{"id":7},"prompt":"é","completion":"b","messages":[{"role":"user","content":"é"},{"role":"assistant","content":"b"}]}""", json);
        AssertTalk(json, 0, "user:é", "assistant:b");
        Assert.Equal("""{"headword":"w","prompt":"a","chosen":"b","rejected":"c"}""",
            CanonicalRow.Preference(Row("""{"chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"rejected":[{"role":"user","content":"a"},{"role":"assistant","content":"c"}],"headword":"w"}""")));
        Assert.Equal("""{"prompt":"a","completion":"b","label":true}""", CanonicalRow.Unpaired(Row("""{"instruction":"a","output":"b","kto_tag":true}""")));
        Assert.Contains("rows of a corpus", Assert.Throws<InvalidDatasetException>(() => CanonicalRow.Instruction(Row("""{"text":"a"}"""))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("user,assistant", null)]
    [InlineData("system,user,assistant,user,assistant", null)]
    [InlineData("user,assistant,tool,tool,assistant", null)]
    [InlineData("user,user,assistant", "two turns of user follow each other")]
    [InlineData("assistant,user", "begins with assistant")]
    [InlineData("user,system,assistant", "a turn of system")]
    public void Disorder_SaysWhatOfTheOrderIsWrong(string roles, string? expected)
    {
        string? problem = Turns.Disorder([.. roles.Split(',').Select(r => new ChatTurn(r, "x"))]);

        if (expected is null) Assert.Null(problem);
        else Assert.Contains(expected, problem, StringComparison.Ordinal);
    }

    private static JsonlRow Row(string json) => new(9, JsonDocument.Parse(json).RootElement);

    private static FineTuningExample Read(string json) => RowReader.FineTuning(Row(json));

    private static void AssertTalk(string json, int given, params string[] turns)
    {
        var talk = Assert.IsType<ConversationExample>(Read(json));
        Assert.Equal((given, string.Join('|', turns)), (talk.Given, string.Join('|', talk.Turns.Select(t => $"{t.Role}:{t.Content}"))));
    }
}
