using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Routing;

namespace LlmOps.Web.Components.Shared;

/// <summary>Tabs whose choice lives in the address, so that it can be linked, reloaded and gone back to. Only the open tab's content exists.</summary>
public sealed partial class UrlTabs : IDisposable
{
    private readonly List<UrlTab> tabs = [];
    private bool disposed;

    [Inject] private NavigationManager Navigation { get; set; } = null!;

    /// <summary><see cref="UrlTab"/> elements.</summary>
    [Parameter, EditorRequired] public RenderFragment? ChildContent { get; set; }
    /// <summary>The query parameter's name.</summary>
    [Parameter] public string Query { get; set; } = "tab";
    [Parameter] public string Label { get; set; } = "Sections";

    private UrlTab? Active => tabs.FirstOrDefault(t => t.Key == Chosen) ?? tabs.FirstOrDefault();

    private string? Chosen => QueryText.Read(Navigation.Uri, Query);

    private string Address(UrlTab tab) => Navigation.GetUriWithQueryParameter(Query, tab == tabs[0] ? null : tab.Key);

    internal void Add(UrlTab tab) => tabs.Add(tab);

    internal void Remove(UrlTab tab)
    {
        tabs.Remove(tab);
        if (!disposed) StateHasChanged();
    }

    protected override void OnInitialized() => Navigation.LocationChanged += OnMoved;

    public void Dispose()
    {
        disposed = true;
        Navigation.LocationChanged -= OnMoved;
    }

    private void OnMoved(object? sender, LocationChangedEventArgs e) => _ = InvokeAsync(StateHasChanged);
}
