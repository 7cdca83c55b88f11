using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Lifecycle.Tests.Tracing;

/// <summary>Costs against sums made by hand.</summary>
public sealed class TokenUseTests
{
    private static readonly ModelPrice Price = new() { Model = "m", InputUsd = 3, OutputUsd = 15, CacheReadUsd = 0.3, CacheWriteUsd = 3.75 };

    [Theory]
    // (1000 - 600 - 100) * 3 + 600 * 0.3 + 100 * 3.75 + 200 * 15 = 900 + 180 + 375 + 3000
    [InlineData(1000, 200, 600, 100, 0.004455, false)]
    // 1000 * 3 + 200 * 15
    [InlineData(1000, 200, null, null, 0.006, false)]
    // all input from the cache: 1000 * 0.3
    [InlineData(1000, 0, 1000, 0, 0.0003, false)]
    // counted beside the input: no negative rest, 5000 * 0.3 + 10 * 15
    [InlineData(100, 10, 5000, null, 0.00165, true)]
    // only the output is known
    [InlineData(null, 40, null, null, 0.0006, false)]
    public void Cost_IsInclusiveOfTheCache(int? input, int? output, int? read, int? write, double usd, bool disagree)
    {
        var use = new TokenUse(input, output, read, write);
        Assert.Equal(usd, use.CostUsd(Price)!.Value, 12);
        Assert.Equal(disagree, use.Disagree);
    }

    [Fact]
    public void Cost_IsUnknown_WithoutAPriceOrACount()
    {
        Assert.Null(new TokenUse(1, 1).CostUsd(null));
        Assert.Null(new TokenUse(null, null).CostUsd(Price));
    }

    [Fact]
    public void ACachePrice_ThatIsNotGiven_IsTheInputPrice() =>
        Assert.Equal((1000 * 2 + 10 * 4) / 1e6, new TokenUse(1000, 10, 700, 100).CostUsd(new() { Model = "m", InputUsd = 2, OutputUsd = 4 })!.Value, 12);

    [Theory]
    [InlineData("gpt-4o", "gpt-4o")]
    [InlineData("GPT-4O", "gpt-4o")]
    [InlineData("gpt-4o-mini-2024", "gpt-4o-mini*")]
    [InlineData("gpt-4o-2024", "gpt-4*")]
    [InlineData("claude", null)]
    [InlineData(null, null)]
    public void APrice_IsThatOfTheLongestNameThatFits(string? model, string? expected)
    {
        ModelPrice[] prices = [.. new[] { "gpt-4*", "gpt-4o", "gpt-4o-mini*" }.Select(m => new ModelPrice { Model = m })];
        Assert.Equal(expected, ModelPrice.Of(model, prices)?.Model);
    }
}
