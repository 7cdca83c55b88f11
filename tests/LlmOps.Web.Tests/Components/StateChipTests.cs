using Bunit;
using LlmOps.Web.Components.Shared;

namespace LlmOps.Web.Tests.Components;

public sealed class StateChipTests : InterfaceContext
{
    [Theory]
    [InlineData("Queued", "Queued", "state-grey")]
    [InlineData("WaitingForApproval", "Waiting for approval", "state-violet")]
    [InlineData("CannotTell", "Cannot tell", "state-amber")]
    [InlineData("Approved", "Approved", "state-green")]
    [InlineData("SomethingNew", "Something new", "state-grey")]
    public void Chip_SaysTheStateInWordsAndShowsAnIcon(string state, string word, string tint)
    {
        var chip = Render<StateChip>(p => p.Add(c => c.State, state));
        Assert.Equal(word, chip.Find("span.state > span").TextContent);
        Assert.Contains(tint, chip.Find("span.state").ClassList);
        Assert.NotEmpty(chip.Find("path").GetAttribute("d")!);
    }

    [Fact]
    public void Chip_ShowsProgressInPerCent() =>
        Assert.Contains("43 %", Render<StateChip>(p => p.Add(c => c.State, "Running").Add(c => c.Progress, 0.43)).Markup);
}
