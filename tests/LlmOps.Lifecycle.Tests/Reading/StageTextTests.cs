using LlmOps.Lifecycle.Pipelines;
using LlmOps.TestKit;

namespace LlmOps.Lifecycle.Tests.Reading;

public sealed class StageTextTests
{
    private const string Nested = "name: p\nstages:\n  - kind: train-tokenizer\n    with: { corpus: a/1, vocabulary_size: 400 }\n  - name: gate\n    kind: gate\n    with:\n      rules:\n        - parity passed\n        # the one that matters\n        - size_bytes <= 10\n      version: m/1\n  - name: last\n    kind: deploy\n";

    [Fact]
    public void Set_KeepsCommentsAndOrder_WhenItReplacesAValue()
    {
        var text = StageText.Set(LivedIn.Yaml, "import", "source", "elsewhere");
        Assert.Equal(LivedIn.Yaml.Replace("source: data ", "source: elsewhere ", StringComparison.Ordinal), text);
    }

    [Fact]
    public void Set_AddsAndRemovesALine() =>
        Assert.Equal(LivedIn.Yaml, StageText.Set(StageText.Set(LivedIn.Yaml, "import", "licence", "MIT"), "import", "licence", null));

    [Theory]
    [InlineData("train-tokenizer", "vocabulary_size", "500", "vocabulary_size: 500 }")]
    [InlineData("train-tokenizer", "instructions", "b/1", "vocabulary_size: 400, instructions: b/1 }")]
    [InlineData("gate", "rules", "[\"parity passed\"]", "rules: [\"parity passed\"]\n      version: m/1")]
    [InlineData("gate", "choose", "fastest", "version: m/1\n      choose: fastest\n  - name: last")]
    [InlineData("last", "name", "chat", "kind: deploy\n    with:\n      name: chat\n")]
    public void Set_WritesWhereTheValueBelongs(string stage, string parameter, string value, string expected) =>
        Assert.Contains(expected, StageText.Set(Nested, stage, parameter, value), StringComparison.Ordinal);
}
