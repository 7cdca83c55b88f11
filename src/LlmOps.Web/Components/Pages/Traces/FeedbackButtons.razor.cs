using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Traces;

/// <summary>Thumbs for one trace. A second click on the other thumb changes the answer; there is one for each person.</summary>
public sealed partial class FeedbackButtons
{
    private int? given;

    [Inject] private GiveFeedback Feedback { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public string TraceId { get; set; } = "";
    [Parameter] public int? Given { get; set; }
    [Parameter] public EventCallback OnGiven { get; set; }

    private string? Objection => Actor.Objection(Permission.Chat);

    protected override void OnParametersSet() => given = Given ?? given;

    private async Task GiveAsync(int score)
    {
        await Feedback.GiveAsync(TraceId, score, null, Actor);
        given = score;
        StateHasChanged();
        await OnGiven.InvokeAsync();
    }
}
