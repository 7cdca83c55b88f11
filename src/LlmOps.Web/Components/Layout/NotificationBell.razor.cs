using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Layout;

/// <summary>What alert rules said, live. What arrives while the page is open is also shown by the browser, where the person allowed it.</summary>
public sealed partial class NotificationBell
{
    private readonly HashSet<Guid> shown = [];
    private IReadOnlyList<Notification> unread = [];

    [Inject] private ReadAlerts Alerts { get; set; } = null!;
    [Inject] private Browser Browser { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    protected override async Task OnInitializedAsync()
    {
        unread = await Alerts.UnreadAsync(Actor);
        shown.UnionWith(unread.Select(n => n.Id));
    }

    private async Task ReadAsync()
    {
        unread = await Alerts.UnreadAsync(Actor);
        foreach (var n in unread.Where(n => shown.Add(n.Id)))
            await Browser.NotifyAsync(n.Title, n.Text, n.Href ?? "/schedules");
    }

    private async Task ReadAllAsync()
    {
        // Until the newest that was shown: what arrives in this moment stays unread.
        if (unread.Count > 0)
            await Alerts.MarkReadAsync(Actor, unread.Max(n => n.CreatedAt));
        unread = [];
    }
}
