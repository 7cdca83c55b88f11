using LlmOps.Engines.Text;

namespace LlmOps.Engines.Tests.Text;

public sealed class GenerationDefaultsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Load_ReadsWhatIsSaid()
    {
        Assert.Equal(GenerationDefaults.None, GenerationDefaults.Load(folder.Root));
        var said = Load("""{"do_sample":true,"temperature":0.6,"top_k":20,"top_p":0.95,"min_p":0.05,"repetition_penalty":1.1,"max_new_tokens":9,"eos_token_id":[7,8,7],"bos_token_id":1,"pad_token_id":null,"transformers_version":"4"}""");

        Assert.Equal([7, 8], said.EosTokenIds);
        Assert.Equal(new GenerationDefaults(true, 0.6, 20, 0.95, 0.05, 1.1, 9, said.EosTokenIds, 1, null), said);
        Assert.Equal([2], Load("""{"eos_token_id":2}""").EosTokenIds);
    }

    [Theory]
    [InlineData("""{"temperature":-1}""", "generation_config.json: temperature is -1; expected 0 or more.")]
    [InlineData("""{"top_p":1.5}""", "generation_config.json: top_p is 1.5; expected above 0 and at most 1.")]
    [InlineData("""{"top_k":2.5}""", "generation_config.json: top_k is 2.5; expected a whole number.")]
    [InlineData("""{"eos_token_id":[1,"a"]}""", "generation_config.json: eos_token_id is [1,\"a\"]; expected token ids.")]
    [InlineData("""{"eos_token_id":-1}""", "generation_config.json: eos_token_id is -1; expected 0 or more.")]
    [InlineData("""{"do_sample":"yes"}""", "generation_config.json: do_sample is \"yes\"; expected true or false.")]
    [InlineData("[]", "generation_config.json holds no JSON object.")]
    public void Load_NamesWhatIsWrong(string text, string message) =>
        Assert.Equal(message, Assert.Throws<InvalidModelException>(() => Load(text)).Message);

    private GenerationDefaults Load(string text)
    {
        File.WriteAllText(Path.Combine(folder.Root, "generation_config.json"), text);
        return GenerationDefaults.Load(folder.Root);
    }
}
