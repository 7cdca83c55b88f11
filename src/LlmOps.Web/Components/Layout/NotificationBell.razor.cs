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

    protected override async Task OnInitializedAsync()
    {
        unread = await Alerts.UnreadAsync();
        shown.UnionWith(unread.Select(n => n.Id));
    }

    private async Task ReadAsync()
    {
        unread = await Alerts.UnreadAsync();
        foreach (var n in unread.Where(n => shown.Add(n.Id)))
            await Browser.NotifyAsync(n.Title, n.Text, n.Href ?? "/schedules");
    }

    private async Task ReadAllAsync()
    {
        await Alerts.MarkReadAsync([.. unread.Select(n => n.Id)]);
        unread = [];
    }
}
