using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>One choice of a filter line, kept in the address.</summary>
public sealed partial class FilterSelect
{
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [Parameter, EditorRequired] public string Label { get; set; } = "";
    [Parameter, EditorRequired] public string Query { get; set; } = "";
    [Parameter, EditorRequired] public IReadOnlyList<string> Options { get; set; } = [];

    /// <summary>What no choice means.</summary>
    [Parameter] public string Unset { get; set; } = "all";

    private string Chosen => QueryText.Read(Navigation.Uri, Query) ?? "";

    private void Choose(ChangeEventArgs e) => Navigation.NavigateTo(Navigation.GetUriWithQueryParameter(Query, e.Value is string { Length: > 0 } value ? value : null), replace: true);
}
