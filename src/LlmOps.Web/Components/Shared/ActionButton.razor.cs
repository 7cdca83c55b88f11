using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

public enum ButtonKind { Secondary, Primary, Danger, Quiet }

/// <summary>A verb. Owns the busy state, refuses a second click while the first runs, and shows why it failed beside itself, so pages hold no try/catch.</summary>
public sealed partial class ActionButton
{
    private readonly string errorId = "e" + Guid.NewGuid().ToString("N")[..8];
    private bool busy;
    private string? error;

    [Inject] private ILogger<ActionButton> Log { get; set; } = null!;

    /// <summary>What the click does. Its exceptions end here.</summary>
    [Parameter, EditorRequired] public Func<Task> OnClick { get; set; } = null!;
    [Parameter] public RenderFragment? ChildContent { get; set; }
    [Parameter] public ButtonKind Kind { get; set; }
    /// <summary>From <c>MudBlazor.Icons.Material.Outlined</c>.</summary>
    [Parameter] public string? Icon { get; set; }
    /// <summary>Replaces the label while it runs ("Starting…").</summary>
    [Parameter] public string? BusyText { get; set; }
    [Parameter] public bool Disabled { get; set; }
    /// <summary>Why not, on hover; with <see cref="ShowReason"/> also as text.</summary>
    [Parameter] public string? DisabledReason { get; set; }
    [Parameter] public bool ShowReason { get; set; }
    [Parameter] public string? Title { get; set; }
    [Parameter(CaptureUnmatchedValues = true)] public IReadOnlyDictionary<string, object>? More { get; set; }

    private string? KindClass => Kind switch
    {
        ButtonKind.Primary => "button-primary",
        ButtonKind.Danger => "button-danger",
        ButtonKind.Quiet => "button-quiet",
        _ => null,
    };

    private async Task RunAsync()
    {
        if (busy || Disabled) return;
        busy = true;
        error = null;
        try
        {
            await OnClick();
        }
        catch (OperationCanceledException)
        {
            error = "Cancelled.";
        }
        catch (Exception e)
        {
            error = Failure.Text(e, Log);
        }
        finally
        {
            busy = false;
        }
    }
}
