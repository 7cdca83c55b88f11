using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>One column of a <see cref="DataTable{TItem}"/>.</summary>
public sealed class DataColumn<TItem> : ComponentBase, IDisposable
{
    [CascadingParameter] private DataTable<TItem> Owner { get; set; } = null!;

    [Parameter, EditorRequired] public string Title { get; set; } = "";
    /// <summary>The bare value: shown when there is no <see cref="ChildContent"/>, exported to CSV, sorted by in memory.</summary>
    [Parameter] public Func<TItem, object?>? Value { get; set; }
    /// <summary>The cell.</summary>
    [Parameter] public RenderFragment<TItem>? ChildContent { get; set; }
    /// <summary>The word for this order in the address and in <see cref="TableRequest"/>; without it the column does not sort.</summary>
    [Parameter] public string? SortKey { get; set; }
    /// <summary>Right-aligned, tabular figures.</summary>
    [Parameter] public bool Numeric { get; set; }
    /// <summary>Any CSS width.</summary>
    [Parameter] public string? Width { get; set; }
    /// <summary>Not shown until chosen.</summary>
    [Parameter] public bool Hidden { get; set; }
    /// <summary>What the number means, on hover of the title.</summary>
    [Parameter] public string? Help { get; set; }

    internal bool IsShown { get; set; }

    protected override void OnInitialized()
    {
        IsShown = !Hidden;
        Owner.Add(this);
    }

    public void Dispose() => Owner.Remove(this);
}
