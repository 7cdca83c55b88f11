using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Gates;

/// <summary>The text is the document; the form reads it and writes it.</summary>
public sealed partial class NewPolicy
{
    private const string Example = """
        name: release
        description: What a candidate has to show before it goes into production
        alpha: 0.05
        correction: holm
        looks: 1
        minimum_rows: 200
        non_inferiority:
          - metric: definitions.bits_per_byte
            margin: 0.05
        demands:
          parity: passed
        """;
    private string yaml = "";
    private PolicyDocument? document;
    private IReadOnlyList<string> problems = [];

    [Inject] private ReadPolicies Policies { get; set; } = null!;
    [Inject] private SavePolicy Saving { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }
    [SupplyParameterFromQuery] private string? From { get; set; }

    private string? Missing => (Actor.May(Permission.Approve) ? null : Actor.Objection(Permission.RunPipelines)) ?? (problems.Count > 0 ? "Mend the problems first." : null);

    protected override async Task OnInitializedAsync() => Read(From is null ? Example : (await Policies.GetByKeyAsync(From)).Yaml);

    private void Read(string text)
    {
        problems = PolicyDocument.Problems(text);
        Set(text, problems.Count == 0 ? PolicyDocument.Parse(text) : null);
    }

    /// <summary>A form keeps what a person typed, also while it is no valid policy yet; the problems say why it cannot be saved.</summary>
    private void Set(string text, PolicyDocument? read)
    {
        (yaml, document) = (text, read);
        problems = PolicyDocument.Problems(text);
    }

    private async Task SaveAsync()
    {
        var saved = await Saving.SaveAsync(yaml, Actor);
        Navigation.NavigateTo($"/gates/{saved.Name}?number={saved.Number}");
    }
}
