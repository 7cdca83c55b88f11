using Bunit;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Web.Tests.Components;

public sealed class DataTableTests : InterfaceContext
{
    private sealed record Row(string Name, double Loss);

    private static readonly Row[] Rows = [new("b", 2), new("a", 3), new("c", 1)];

    private IRenderedComponent<DataTable<Row>> Table(IReadOnlyList<Row> rows, Action<ComponentParameterCollectionBuilder<DataTable<Row>>>? more = null) =>
        Render<DataTable<Row>>(p =>
        {
            p.Add(t => t.Items, rows).Add(t => t.Key, r => r.Name).Add(t => t.Label, "Rows").Add(t => t.RowHref, r => "/rows/" + r.Name).Add(t => t.Columns, b =>
            {
                b.OpenComponent<DataColumn<Row>>(0);
                b.AddComponentParameter(1, "Title", "Name");
                b.AddComponentParameter(2, "Value", (Func<Row, object?>)(r => r.Name));
                b.CloseComponent();
                b.OpenComponent<DataColumn<Row>>(3);
                b.AddComponentParameter(4, "Title", "Loss");
                b.AddComponentParameter(5, "Value", (Func<Row, object?>)(r => r.Loss));
                b.AddComponentParameter(6, "SortKey", "loss");
                b.AddComponentParameter(7, "Numeric", true);
                b.CloseComponent();
            });
            more?.Invoke(p);
        });

    private static string[] Names(IRenderedComponent<DataTable<Row>> table) => [.. table.FindAll("[data-row-link]").Select(a => a.TextContent)];

    [Fact]
    public void Rows_AreLinks_InTheListsOwnOrder()
    {
        var table = Table(Rows);
        Assert.Equal(["b", "a", "c"], Names(table));
        Assert.Equal("/rows/b", table.Find("[data-row-link]").GetAttribute("href"));
    }

    [Fact]
    public void Sorting_IsWrittenIntoTheAddress_AndGoesUpDownAndBack()
    {
        var table = Table(Rows);
        var navigation = Services.GetRequiredService<NavigationManager>();
        table.Find("button.sort").Click();
        Assert.Equal(["c", "b", "a"], Names(table));
        Assert.EndsWith("?sort=loss", navigation.Uri);
        table.Find("button.sort").Click();
        Assert.Equal(["a", "b", "c"], Names(table));
        Assert.Equal("descending", table.FindAll("th")[1].GetAttribute("aria-sort"));
        table.Find("button.sort").Click();
        Assert.Equal(["b", "a", "c"], Names(table));
        Assert.DoesNotContain("sort", navigation.Uri);
    }

    [Fact]
    public void Order_IsReadFromTheAddress()
    {
        Services.GetRequiredService<NavigationManager>().NavigateTo("/?sort=-loss");
        Assert.Equal(["a", "b", "c"], Names(Table(Rows)));
    }

    [Fact]
    public void NewItems_AreShown_WhenThePageReadsAgain()
    {
        var table = Table(Rows);
        table.Render(p => p.Add(t => t.Items, [.. Rows, new Row("d", 0)]));
        Assert.Equal(["b", "a", "c", "d"], Names(table));
    }

    [Fact]
    public void Selection_TellsThePageTheKeys()
    {
        IReadOnlyCollection<string> chosen = [];
        var table = Table(Rows, p => p.Add(t => t.Selectable, true).Add(t => t.SelectedChanged, keys => chosen = keys));
        table.FindAll("td input[type=checkbox]")[1].Change(true);
        Assert.Equal(["a"], chosen);
    }

    [Fact]
    public void NoRows_ShowTheEmptyState() =>
        Assert.Contains("No rows yet", Table([], p => p.Add(t => t.Empty, b => b.AddContent(0, "No rows yet"))).Markup);
}
