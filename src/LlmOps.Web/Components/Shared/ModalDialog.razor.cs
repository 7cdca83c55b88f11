using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>The browser's own modal dialog: focus stays inside, Esc closes, the page behind is inert. Open it with <see cref="OpenAsync"/>.</summary>
public sealed partial class ModalDialog
{
    private readonly string titleId = "d" + Guid.NewGuid().ToString("N")[..8];
    private ElementReference dialog;
    private bool open, show;

    [Inject] private Browser Browser { get; set; } = null!;

    [Parameter, EditorRequired] public string Title { get; set; } = "";
    [Parameter] public RenderFragment? ChildContent { get; set; }
    /// <summary>Buttons; the primary one last.</summary>
    [Parameter] public RenderFragment? Footer { get; set; }
    [Parameter] public string? Class { get; set; }
    [Parameter] public EventCallback Closed { get; set; }

    /// <summary>Renders the content anew, then shows it.</summary>
    public Task OpenAsync()
    {
        open = show = true;
        return InvokeAsync(StateHasChanged);
    }

    public async Task CloseAsync()
    {
        if (open) await Browser.CloseDialogAsync(dialog);
    }

    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (!show) return;
        show = false;
        await Browser.OpenDialogAsync(dialog);
    }

    private Task ClosedAsync()
    {
        open = false;
        return Closed.InvokeAsync();
    }
}
