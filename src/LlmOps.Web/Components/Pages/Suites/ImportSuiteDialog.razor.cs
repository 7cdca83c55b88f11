using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Suites;

/// <summary>Another tool's file becomes a suite's first or next version.</summary>
public sealed partial class ImportSuiteDialog
{
    private ModalDialog? dialog;
    private string name = "", format = "", dataset = "", content = "", judge = "";
    private double? atLeast;

    [Inject] private SaveSuite Saving { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    public Task OpenAsync() => dialog!.OpenAsync();

    private async Task ImportAsync()
    {
        var saved = await Saving.SaveAsync(SuiteYaml.Write(ImportSuite.Read(name.Trim(), content, format, dataset, judge: judge.Trim().Length > 0 ? new(judge.Trim(), atLeast) : null)), Actor);
        await dialog!.CloseAsync();
        Navigation.NavigateTo($"/suites/{saved.Name}?number={saved.Number}");
    }
}
