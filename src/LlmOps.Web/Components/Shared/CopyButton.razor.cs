using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>Copies <see cref="Text"/>; shows a tick once it did.</summary>
public sealed partial class CopyButton
{
    private bool copied;

    [Inject] private Browser Browser { get; set; } = null!;

    [Parameter, EditorRequired] public string Text { get; set; } = "";
    [Parameter] public string Label { get; set; } = "Copy";

    protected override void OnParametersSet() => copied = false;

    private async Task CopyAsync()
    {
        await Browser.CopyAsync(Text);
        copied = true;
    }
}
