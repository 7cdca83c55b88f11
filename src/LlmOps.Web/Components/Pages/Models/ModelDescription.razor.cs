using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>The words about a model, and the form that changes them.</summary>
public sealed partial class ModelDescription
{
    private bool editing;
    private string text = "";

    [Inject] private DescribeModel Describe { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public ModelDetail Model { get; set; } = null!;
    [Parameter] public EventCallback OnSaved { get; set; }

    private string? Objection => Actor.Objection(Permission.WriteModels);

    private Task EditAsync()
    {
        (text, editing) = (Model.Description, true);
        StateHasChanged();      // the button renders itself only
        return Task.CompletedTask;
    }

    private async Task SaveAsync()
    {
        await Describe.DescribeAsync(Model.Name, text.Trim(), Actor);
        await OnSaved.InvokeAsync();
        editing = false;
        StateHasChanged();
    }
}
