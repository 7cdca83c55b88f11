using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Webhooks;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Settings;

/// <summary>Makes a webhook or changes one, and shows a new secret the one time that it is shown.</summary>
public sealed partial class WebhookForm
{
    private readonly List<string> chosen = [];
    private ModalDialog? dialog;
    private WebhookRow? changed;
    private WebhookWithSecret? made;
    private string name = "", url = "", profile = WebhookProfiles.Standard;
    private string? problem;
    private bool everything = true;

    [Inject] private ManageWebhooks Manage { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter] public EventCallback OnSaved { get; set; }

    /// <param name="hook">The one to change; null for a new one.</param>
    public async Task OpenAsync(WebhookRow? hook)
    {
        (changed, made, problem, name, url, profile) = (hook, null, null, hook?.Name ?? "", hook?.Url ?? "", hook?.Profile ?? WebhookProfiles.Standard);
        everything = hook is null || hook.Events.Contains("*");
        chosen.Clear();
        chosen.AddRange(hook?.Events.Where(e => e != "*") ?? []);
        StateHasChanged();
        await dialog!.OpenAsync();
    }

    /// <summary>After a rotation.</summary>
    public async Task ShowAsync(WebhookWithSecret secret)
    {
        made = secret;
        StateHasChanged();
        await dialog!.OpenAsync();
    }

    private bool IsChosen(string type) => chosen.Any(p => WebhookEvents.Matches(p, type));

    /// <summary>A pattern that stood for several is written out when one of them is taken away.</summary>
    private void Toggle(string type)
    {
        if (!IsChosen(type))
        {
            chosen.Add(type);
            return;
        }
        var left = WebhookEvents.Of(profile).Select(e => e.Name).Where(n => n != type && IsChosen(n)).ToList();
        chosen.Clear();
        chosen.AddRange(left);
    }

    private async Task SaveAsync()
    {
        IReadOnlyList<string> events = everything ? ["*"] : [.. chosen];
        problem = name.Trim().Length == 0 ? "Give it a name." : url.Trim().Length == 0 ? "Give it an address, https://host/path." : events.Count == 0 ? "It is told nothing. Choose at least one event." : null;
        if (problem is null)
        {
            if (changed is null)
                made = await Manage.CreateAsync(new NewWebhook(name, url, events, profile), Actor);
            else
            {
                await Manage.ChangeAsync(changed.Id, new WebhookChange(name, url, events, profile), Actor);
                await dialog!.CloseAsync();
            }
            await OnSaved.InvokeAsync();
        }
        StateHasChanged();
    }
}
