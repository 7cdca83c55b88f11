using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Pipelines;

/// <summary>A value of a stage's output: a link where there is a page for it.</summary>
public sealed partial class StageValue
{
    [Parameter, EditorRequired] public string Output { get; set; } = "";
    [Parameter, EditorRequired] public string? Value { get; set; }

    internal static string? Address(string output, string value) => output switch
    {
        "version" when value.Contains('/') => $"/models/{value}",
        "corpus" or "instructions" or "preferences" when value.Contains('/') => $"/datasets/{value}",
        "approval" when Guid.TryParse(value, out _) => $"/approvals/{value}",
        "deployment" => $"/deployments/{value}",
        "runs" when Guid.TryParse(value, out _) => $"/evaluations/{value}",
        "runs" => "/evaluations",
        "index" when value.Contains('/') => $"/knowledge/{value[..value.LastIndexOf('/')]}",
        _ => null,
    };
}
