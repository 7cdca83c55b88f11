using LlmOps.Lifecycle.Deployments;
using Microsoft.AspNetCore.Components;
namespace LlmOps.Web.Components.Pages.Deployments;
public sealed partial class Playground { [Parameter, EditorRequired] public DeploymentRow Deployment { get; set; } = null!; }
