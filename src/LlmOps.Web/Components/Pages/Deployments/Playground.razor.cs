using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Deployments;

/// <summary>Tries a deployment the way its users meet it.</summary>
public sealed partial class Playground
{
    [CascadingParameter] public required Actor Actor { get; set; }
    [Parameter, EditorRequired] public DeploymentRow Deployment { get; set; } = null!;

    private string? Objection => Actor.Objection(Permission.Chat);
}
