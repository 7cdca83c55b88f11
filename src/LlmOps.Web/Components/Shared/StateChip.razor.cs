using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>A state, the same everywhere: icon and word, never colour alone.</summary>
public sealed partial class StateChip
{
    private StateLook look = StateLook.Of(null);

    /// <summary>The state's name (<c>job.State.ToString()</c>): Pending, Queued, Running, WaitingForApproval, Succeeded, Failed, Cancelled, CannotTell, Skipped, or another area's.</summary>
    [Parameter, EditorRequired] public string? State { get; set; }
    /// <summary>0 to 1, shown beside Running.</summary>
    [Parameter] public double? Progress { get; set; }

    protected override void OnParametersSet() => look = StateLook.Of(State);
}
