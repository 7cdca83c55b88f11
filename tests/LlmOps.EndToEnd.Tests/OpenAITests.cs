namespace LlmOps.EndToEnd.Tests;

/// <summary>Programs that speak to OpenAI, as published on npm, speak to the real server.</summary>
public sealed class OpenAITests(NpmDeployments served) : IClassFixture<NpmDeployments>
{
    [Fact]
    public async Task OpenAIsOwnClient_StreamsCallsToolsEmbeds_AndCatchesItsErrorClasses() =>
        Assert.Equal("ok", (await NpmClient.RunAsync("openai", "journey.mjs", served.Address, served.Secret)).Trim());

    [Fact]
    public async Task Promptfoo_EvaluatesDeployments_AndSeesWhatFails() =>
        Assert.Equal("ok", (await NpmClient.RunAsync("promptfoo", "evaluate.mjs", served.Address, served.Secret)).Trim());
}
