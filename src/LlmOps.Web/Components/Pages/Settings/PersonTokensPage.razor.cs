using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Identity;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Settings;

/// <summary>An administrator looks after somebody else's tokens.</summary>
public sealed partial class PersonTokensPage
{
    private string? name;

    [Inject] private ReadPeople People { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter] public Guid Person { get; set; }

    protected override async Task OnParametersSetAsync()
    {
        if (Actor.May(Permission.Administer))
            name = (await People.ListAsync()).FirstOrDefault(p => p.Id == Person)?.UserName ?? throw LlmOpsException.NotFound("Person", Person);
    }
}
