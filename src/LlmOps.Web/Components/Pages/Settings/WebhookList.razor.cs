using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Webhooks;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Settings;

/// <summary>The endpoints that are told what happens here.</summary>
public sealed partial class WebhookList
{
    private IReadOnlyList<WebhookRow>? hooks;
    private WebhookForm? form;

    [Inject] private ReadWebhooks Webhooks { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    private string? Objection => Actor.Objection(Permission.Administer);

    protected override Task OnInitializedAsync() => ReadAsync();

    private async Task ReadAsync()
    {
        if (Objection is null)
            hooks = await Webhooks.ListAsync(Actor);
    }
}
