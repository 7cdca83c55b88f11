using LlmOps.Engines.Inference;
using LlmOps.Engines.Text;
using LlmOps.TestKit;

namespace LlmOps.Engines.Tests.Text;

public sealed class PromptFormatTests(ExportedModels models)
{
    // A template of another shape than the product's own: roles as words, one line each.
    private const string Lines = "{% for m in messages %}{{ bos_token }}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}{{ bos_token }}assistant:{% endif %}";

    [Fact]
    public void Load_UsesTheProductsOwnForm_ForModelsThatWereMadeHere()
    {
        var tokenizer = Tokenizer.Load(models.TiedOnnx);
        var format = PromptFormat.Load(models.TiedOnnx, tokenizer);
        ChatTurn[] turns = [new("user", "a dog"), new("assistant", "a word"), new("user", "the <|eos|> fox")];

        Assert.Equal(PromptTemplate.Chat(tokenizer, turns), format.Chat(turns));
        Assert.Equal(PromptTemplate.Prompt(tokenizer, "a dog"), format.Prompt("a dog"));
        Assert.Equal(PromptTemplate.Document(tokenizer, "a dog"), format.Document("a dog"));
        Assert.Equal(PromptTemplate.Completion(tokenizer, "a dog"), format.Completion("a dog"));
    }

    [Fact]
    public void Chat_RendersTheFoldersTemplate_AndKeepsTypedControlTokensPlain()
    {
        var folder = WithTemplate(Lines);
        var tokenizer = Tokenizer.Load(folder);
        var format = PromptFormat.Load(folder, tokenizer);
        int bos = tokenizer.BosId!.Value, eos = tokenizer.EosId!.Value;

        Assert.Equal([bos, .. tokenizer.Encode("user: a dog"), eos, bos, .. tokenizer.Encode("assistant:")], format.Prompt("a dog"));
        // Somebody types the end token: the model reads its characters, not the token.
        var injected = format.Prompt("a <|eos|> dog");
        Assert.Equal(1, injected.Count(id => id == eos));
        Assert.Equal([bos, .. tokenizer.Encode("user: a <|eos|> dog"), eos, bos, .. tokenizer.Encode("assistant:")], injected);
    }

    [Fact]
    public void Load_KnowsTheProductsForm_ByItsControlTokensToo()
    {
        var folder = WithTemplate(null);
        var tokenizer = Tokenizer.Load(folder);

        Assert.Equal(PromptTemplate.Prompt(tokenizer, "a dog"), PromptFormat.Load(folder, tokenizer).Prompt("a dog"));
    }

    [Fact]
    public void Generate_ContinuesAPromptOfAnImportedModel()
    {
        var folder = WithTemplate(Lines);
        using var generator = TextGenerator.Load(folder);

        var tokens = generator.Generate(generator.Format.Prompt("a dog"), new SamplingOptions(4, MinNewTokens: 4)).ToList();

        Assert.Equal(4, tokens.Count);
    }

    private string WithTemplate(string? template)
    {
        var folder = models.Copy(models.TiedOnnx);
        var path = Path.Combine(folder, "tokenizer_config.json");
        var config = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        config.Remove("chat_template");
        if (template is not null)
            config["chat_template"] = template;
        File.WriteAllText(path, config.ToJsonString());
        return folder;
    }
}
