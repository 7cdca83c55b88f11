using Bunit;
using LlmOps.Web.Components.Shared;

namespace LlmOps.Web.Tests.Components;

public sealed class FormTests : InterfaceContext
{
    private static readonly ParameterField[] Fields =
    [
        new("steps", ParameterKind.Integer) { Label = "Steps", Default = "600", Min = 1, Max = 1000, Required = true },
        new("level", ParameterKind.Choice) { Label = "Level", Default = "All", Allowed = ["Basic", "All"] },
        new("note", ParameterKind.Text) { Label = "Note" },
    ];

    [Theory]
    [InlineData("12.5", "Steps is a whole number.")]
    [InlineData("5000", "Steps is 1 to 1000.")]
    public void WrongValue_IsExplainedAtItsField(string value, string error)
    {
        var form = Render<ParametersForm>(p => p.Add(f => f.Fields, Fields));
        form.Find("input.number").Change(value);
        Assert.Contains(error, form.Find(".has-error [role=alert]").TextContent);
        Assert.Equal("true", form.Find("input.number").GetAttribute("aria-invalid"));
    }

    [Fact]
    public void Yaml_AndCommandLine_SayTheSameAsTheForm()
    {
        var form = Render<ParametersForm>(p => p.Add(f => f.Fields, Fields).Add(f => f.CommandPrefix, "llmops run").Add(f => f.Values, new Dictionary<string, string> { ["steps"] = "900", ["note"] = "it's: here" }));
        form.FindAll(".segmented button")[1].Click();
        Assert.Equal("steps: 900\nlevel: All\nnote: 'it''s: here'", form.Find("pre").TextContent);
        Assert.Equal("llmops run --steps 900 --note 'it'\\''s: here'", form.FindComponent<CopyButton>().Instance.Text);
    }

    [Fact]
    public async Task Confirming_NeedsTheNameTyped()
    {
        var confirmed = 0;
        var page = Render<ConfirmDialog>(p => p.Add(d => d.Title, "Delete the dataset").Add(d => d.Loses, "3 versions are lost.").Add(d => d.Name, "wordnet").Add(d => d.OnConfirm, () => { confirmed++; return Task.CompletedTask; }));
        await page.InvokeAsync(page.Instance.OpenAsync);
        Assert.True(page.Find("button.button-danger").HasAttribute("disabled"));
        page.Find("input").Input("wordnet");
        page.Find("button.button-danger").Click();
        Assert.Equal(1, confirmed);
    }
}
