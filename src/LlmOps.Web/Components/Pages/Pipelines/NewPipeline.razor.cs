using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Pipelines;

public sealed partial class NewPipeline
{
    private string folder = "quickstart";
    private string yaml = """
        name: my-pipeline
        description: What it is for, in one line.
        stages:
          - name: import
            kind: import-data
            with:
              source: data
              name: my-data
          - name: tokenizer
            kind: train-tokenizer
            with:
              corpus: ${import.corpus}
        """;

    [Inject] private StartPipeline Start { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    private async Task SaveAsync(string text)
    {
        var saved = await Start.DefineAsync(text, folder.Trim(), Actor);
        Navigation.NavigateTo($"/pipelines/{saved.Name}");
    }
}
