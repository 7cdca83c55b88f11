using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>One tab of <see cref="UrlTabs"/>; the first is the one without a word in the address.</summary>
public sealed class UrlTab : ComponentBase, IDisposable
{
    [CascadingParameter] private UrlTabs Owner { get; set; } = null!;

    /// <summary>The word in the address.</summary>
    [Parameter, EditorRequired] public string Key { get; set; } = "";
    /// <summary>A question the reader has ("How good is it?"), not a table's name.</summary>
    [Parameter, EditorRequired] public string Title { get; set; } = "";
    [Parameter] public long? Count { get; set; }
    [Parameter] public RenderFragment? ChildContent { get; set; }

    protected override void OnInitialized() => Owner.Add(this);

    public void Dispose() => Owner.Remove(this);
}
