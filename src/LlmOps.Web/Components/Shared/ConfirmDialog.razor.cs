using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>For what cannot be undone: says what is lost and wants the name typed. Open it with <see cref="OpenAsync"/>.</summary>
public sealed partial class ConfirmDialog
{
    private ModalDialog dialog = null!;
    private string typed = "";

    /// <summary>A question-free verb phrase: "Delete this dataset version".</summary>
    [Parameter, EditorRequired] public string Title { get; set; } = "";
    /// <summary>What is lost, with numbers.</summary>
    [Parameter, EditorRequired] public string Loses { get; set; } = "";
    /// <summary>The name to type.</summary>
    [Parameter, EditorRequired] public string Name { get; set; } = "";
    /// <summary>The button's verb.</summary>
    [Parameter] public string Action { get; set; } = "Delete";
    [Parameter, EditorRequired] public Func<Task> OnConfirm { get; set; } = null!;
    [Parameter] public RenderFragment? ChildContent { get; set; }

    public Task OpenAsync()
    {
        typed = "";
        return dialog.OpenAsync();
    }

    /// <summary>Stays open when it fails: the button shows why.</summary>
    private async Task ConfirmAsync()
    {
        await OnConfirm();
        await dialog.CloseAsync();
    }
}
