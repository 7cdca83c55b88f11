using LlmOps.Lifecycle.Knowledge;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Knowledge;

public sealed partial class KnowledgePage
{
    private KnowledgeDetail? detail;

    [Inject] private ReadKnowledge Knowledge { get; set; } = null!;

    [Parameter] public string Name { get; set; } = "";
    [SupplyParameterFromQuery(Name = "build")] private int? Number { get; set; }

    private BuildRow? Shown => detail!.Builds.FirstOrDefault(b => b.Number == Number) ?? detail.Row.Latest;

    protected override async Task OnParametersSetAsync()
    {
        if (detail?.Row.Name == Name) return;
        detail = null;
        detail = await Knowledge.GetAsync(Name);
    }
}
