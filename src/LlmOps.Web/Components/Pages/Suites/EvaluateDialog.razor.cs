using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Suites;

/// <summary>Runs a suite on forms of a version.</summary>
public sealed partial class EvaluateDialog
{
    private ModalDialog? dialog;
    private string version = "", variants = "all";
    private int repeats = 1;

    [Inject] private StartSuiteRun Starting { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }
    [Parameter, EditorRequired] public string Suite { get; set; } = "";

    /// <summary>Of its largest task, where it is known; null for as many as its newest run had.</summary>
    [Parameter] public int? Rows { get; set; }

    public Task OpenAsync() => dialog!.OpenAsync();

    private async Task StartAsync()
    {
        await Starting.StartAsync(new() { Suite = Suite, Version = version.Trim(), Variants = variants.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries), Repeats = Math.Clamp(repeats, 1, 20) }, Actor);
        await dialog!.CloseAsync();
        Navigation.NavigateTo($"/evaluations?suite={Suite[..Suite.LastIndexOf('/')]}");
    }
}
