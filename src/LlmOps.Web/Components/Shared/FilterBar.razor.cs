using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>The filter line of a list. What is typed goes into the address (<c>?q=</c>); pages read it from there with <c>[SupplyParameterFromQuery]</c>.</summary>
public sealed partial class FilterBar : IDisposable
{
    private CancellationTokenSource? typing;
    private string text = "";

    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [Parameter] public string Placeholder { get; set; } = "Filter";
    [Parameter] public string Query { get; set; } = "q";
    /// <summary><see cref="FilterSelect"/> elements.</summary>
    [Parameter] public RenderFragment? ChildContent { get; set; }

    protected override void OnInitialized() => text = QueryText.Read(Navigation.Uri, Query) ?? "";

    public void Dispose()
    {
        typing?.Cancel();
        typing?.Dispose();
    }

    private async Task TypedAsync(ChangeEventArgs e)
    {
        text = e.Value as string ?? "";
        typing?.Cancel();
        typing?.Dispose();
        typing = new CancellationTokenSource();
        try
        {
            await Task.Delay(200, typing.Token);
        }
        catch (OperationCanceledException)
        {
            return;
        }
        Navigation.NavigateTo(Navigation.GetUriWithQueryParameter(Query, text.Length == 0 ? null : text), replace: true);
    }
}
