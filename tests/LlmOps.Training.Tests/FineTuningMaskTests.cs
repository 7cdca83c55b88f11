using System.Text.Json.Nodes;
using LlmOps.Engines.Text;
using LlmOps.Training.Batching;

namespace LlmOps.Training.Tests;

/// <summary>Which token is learnt, token by token. Single letters are single tokens, so that every place can be counted by hand.</summary>
public sealed class FineTuningMaskTests : IDisposable
{
    private const string Marked = "{% for m in messages %}{{ bos_token + m.role + ':' }}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}{{ bos_token + 'assistant:' }}{% endif %}";
    private const string Lines = "{% for m in messages %}{{ bos_token + m.role + ':' + m.content + eos_token + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ bos_token + 'assistant:' }}{% endif %}";
    // Earlier answers lose what stands before '/', as templates of reasoning models do it.
    private const string Forgetful = "{% for m in messages %}{{ bos_token + m.role + ':' }}{% if m.role == 'assistant' and not loop.last %}{{ m.content.split('/')[-1] }}{% else %}{{ m.content }}{% endif %}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}{{ bos_token + 'assistant:' }}{% endif %}";
    private static readonly ChatTurn[] TwoAnswers = [new("user", "b"), new("assistant", "c"), new("user", "d"), new("assistant", "e")];

    private readonly TinyModel tiny = new();

    [Fact]
    public void ProductsOwnForm_LabelsAnswersAndTheirEos_AndNothingElse()
    {
        var tokens = Assert.Single(Format(null).Conversation(TwoAnswers));

        int b = Id("b"), c = Id("c"), d = Id("d"), e = Id("e");
        Assert.Equal([1, 3, b, 4, c, 2, 3, d, 4, e, 2], tokens.Ids);
        Assert.Equal("....xx...xx", Picture(tokens));
    }

    [Fact]
    public void TurnsThatAreGiven_AreNotLearnt()
    {
        var tokens = Assert.Single(Format(null).Conversation(TwoAnswers, given: 3));

        Assert.Equal(".........xx", Picture(tokens));
    }

    [Theory]
    [InlineData(Lines)]
    [InlineData(Marked)]
    public void TemplateOfAnotherModel_LabelsAnswersAndTheTokenThatEndsThem(string template)
    {
        var format = Format(template);
        var tokens = Assert.Single(format.Conversation(TwoAnswers));

        int[] user = tiny.Tokenizer.Encode("user:b"), assistant = tiny.Tokenizer.Encode("assistant:"), second = tiny.Tokenizer.Encode("user:d");
        int[] line = template == Lines ? tiny.Tokenizer.Encode("\n") : [];
        Assert.Equal([1, .. user, 2, .. line, 1, .. assistant, Id("c"), 2, .. line, 1, .. second, 2, .. line, 1, .. assistant, Id("e"), 2, .. line], tokens.Ids);
        string Dots(int count) => new('.', count);
        Assert.Equal(
            Dots(1 + user.Length + 1 + line.Length + 1 + assistant.Length) + "xx" + Dots(line.Length + 1 + second.Length + 1 + line.Length + 1 + assistant.Length) + "xx" + Dots(line.Length),
            Picture(tokens));
        // What is given when the model answers is what stood before the label when it learnt.
        Assert.Equal(format.Chat(TwoAnswers[..1]), tokens.Ids[..Array.IndexOf(tokens.Labelled, true)]);
    }

    [Fact]
    public void TemplateThatRewritesEarlierAnswers_GivesOneExampleForEachAnswer()
    {
        var format = Format(Forgetful);
        ChatTurn[] turns = [new("user", "b"), new("assistant", "f/c"), new("user", "d"), new("assistant", "g/e")];

        var examples = format.Conversation(turns);

        Assert.Equal(2, examples.Count);
        Assert.Equal("f/c", Said(examples[0]));
        Assert.Equal("g/e", Said(examples[1]));
        Assert.Equal(format.Chat(turns[..3]), examples[1].Ids[..Array.IndexOf(examples[1].Labelled, true)]);
    }

    [Fact]
    public void ControlTokenTypedIntoAnAnswer_IsLearntAsLetters()
    {
        var tokens = Assert.Single(Format(Lines).Conversation([new("user", "b"), new("assistant", "c<|eos|>")]));

        Assert.Equal(2, tokens.Ids.Count(id => id == 2));
        Assert.Equal("c<|eos|>", Said(tokens));
    }

    [Fact]
    public void KindsOfExamples_AreLabelledAsTheirKindAsks()
    {
        var encoder = new FineTuningEncoder(Format(null), 64, AssistantOnly: true);

        Assert.Equal("b.c.d", Learnt(encoder, new TextExample("bcd"), (1, "b"), (2, "c"), (3, "d")));
        TokenSequence text = Assert.Single(encoder.Encode(new TextExample("bcd"), 1));
        Assert.Equal((5, 4), (text.Tokens.Length, text.Scored)); // bos b c d eos: all but the first
        TokenSequence answer = Assert.Single(encoder.Encode(new AnswerExample("b", "cd"), 1));
        Assert.Equal((7, 4, 3), (answer.Tokens.Length, answer.ScoredFrom, answer.Scored)); // bos user b assistant | c d eos
        TokenSequence chat = Assert.Single(encoder.Encode(new ConversationExample(TwoAnswers), 1));
        Assert.Equal((11, 4), (chat.Tokens.Length, chat.Scored));
        TokenSequence all = Assert.Single((encoder with { AssistantOnly = false }).Encode(new ConversationExample(TwoAnswers), 1));
        Assert.Equal((11, 10), (all.Tokens.Length, all.Scored));
    }

    [Fact]
    public void CutExample_LosesItsLabelsBeyondTheLimit_AndIsDroppedWithoutAny()
    {
        TokenSequence cut = Assert.Single(new FineTuningEncoder(Format(null), 7, true).Encode(new ConversationExample(TwoAnswers), 1));

        Assert.Equal((7, 2), (cut.Tokens.Length, cut.Scored));
        Assert.Empty(new FineTuningEncoder(Format(null), 4, true).Encode(new ConversationExample(TwoAnswers), 1));
    }

    [Fact]
    public void ScoredPlacesOfABatch_AreThoseBeforeTheLabelledTokens()
    {
        TokenSequence chat = Assert.Single(new FineTuningEncoder(Format(null), 64, true).Encode(new ConversationExample(TwoAnswers), 1));

        TokenBatch batch = TokenBatch.OfSequences([new TokenSequence([1, 5], 1), chat], 0);

        Assert.Equal([0, 11 + 3, 11 + 4, 11 + 8, 11 + 9], batch.ScoredAt);
        Assert.Equal([5, Id("c"), 2, Id("e"), 2], batch.Labels);
        Assert.Equal([0, 1, 1, 1, 1], batch.ScoredRow);
    }

    [Fact]
    public void ConversationWithNothingToLearn_IsRefused_WithItsRow()
    {
        var encoder = new FineTuningEncoder(Format(null), 64, true);

        Assert.Contains("no turn of the assistant", Assert.Throws<InvalidDatasetException>(() => encoder.Encode(new ConversationExample([new("user", "b")]), 7)).Message, StringComparison.Ordinal);
        Assert.Equal(7, Assert.Throws<InvalidDatasetException>(() => encoder.Encode(new ConversationExample([new("user", "b"), new("assistant", " ")]), 7)).Line);
        Assert.Contains("system", Assert.Throws<InvalidDatasetException>(() => encoder.Encode(new ConversationExample([new("system", "b"), new("assistant", "c")]), 7)).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidDatasetException>(() => new FineTuningEncoder(Format(Lines), 64, true).Encode(new ConversationExample([new("assistant", "c")]), 7));
    }

    public void Dispose() => tiny.Dispose();

    private int Id(string letter) => Assert.Single(tiny.Tokenizer.Encode(letter));

    private static string Picture(LabelledTokens tokens) => string.Concat(tokens.Labelled.Select(l => l ? 'x' : '.'));

    private string Said(LabelledTokens tokens) => tiny.Tokenizer.Decode([.. tokens.Ids.Where((_, i) => tokens.Labelled[i])]);

    private string Learnt(FineTuningEncoder encoder, FineTuningExample example, params (int Index, string Letter)[] expected)
    {
        TokenSequence sequence = Assert.Single(encoder.Encode(example, 1));
        return string.Join('.', expected.Select(e => sequence.IsScored(e.Index) && sequence.Tokens[e.Index] == Id(e.Letter) ? e.Letter : "?"));
    }

    /// <summary>The tiny model's folder with another chat template; null keeps the product's own.</summary>
    private PromptFormat Format(string? template)
    {
        string path = Path.Combine(tiny.Folder, "tokenizer_config.json");
        var config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        config["chat_template"] = template ?? PromptTemplate.Jinja;
        File.WriteAllText(path, config.ToJsonString());
        return PromptFormat.Load(tiny.Folder, Tokenizer.Load(tiny.Folder));
    }
}
