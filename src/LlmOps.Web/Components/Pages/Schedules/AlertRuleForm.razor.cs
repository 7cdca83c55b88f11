using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Schedules;

/// <summary>Makes an alert rule or changes one. What is wrong stands beside its field, also what the server's settings do not allow.</summary>
public sealed partial class AlertRuleForm
{
    private ModalDialog? dialog;
    private AlertRuleRow? changed;
    private IReadOnlyList<string> schedules = [];
    private string name = "", schedule = "", condition = AlertConditions.Fail, metric = "", mails = "", webhooks = "";
    private int runs, last;
    private bool onPage, tried;

    [Inject] private ReadSchedules Schedules { get; set; } = null!;
    [Inject] private ManageAlertRules Manage { get; set; } = null!;
    [Inject] private NotificationChannels Channels { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter] public EventCallback OnSaved { get; set; }

    private AlertParameters Asked => new() { Runs = runs, Metric = metric.Trim().Length == 0 ? null : metric.Trim(), Last = last };

    private IReadOnlyList<AlertChannel> Told =>
    [
        .. onPage ? [new AlertChannel(NotificationChannels.Page)] : Array.Empty<AlertChannel>(),
        .. Lines(mails).Select(m => new AlertChannel(NotificationChannels.Email, m)), .. Lines(webhooks).Select(w => new AlertChannel(NotificationChannels.Webhook, w)),
    ];

    /// <param name="rule">The one to change; null for a new one.</param>
    public async Task OpenAsync(AlertRuleRow? rule)
    {
        schedules = [.. (await Schedules.ListAsync()).Select(s => s.Name)];
        var parameters = rule?.Parameters ?? new();
        (changed, tried, name, schedule, condition) = (rule, false, "", rule?.Schedule ?? "", rule?.Condition ?? AlertConditions.Fail);
        (runs, metric, last, onPage) = (parameters.Runs, parameters.Metric ?? "", parameters.Last, rule is null || rule.Channels.Any(c => c.Kind == NotificationChannels.Page));
        (mails, webhooks) = (Targets(rule, NotificationChannels.Email), Targets(rule, NotificationChannels.Webhook));
        StateHasChanged();
        await dialog!.OpenAsync();
    }

    private IReadOnlyList<(string Field, string Text)> Problems()
    {
        List<(string, string)> found = [.. AlertConditions.Problems(condition, Asked)];
        if (changed is null && ModelName.Problem(name.Trim()) is { } wrong)
            found.Add(("name", wrong));
        if (Told.Count == 0)
            found.Add(("channels", "The rule tells nobody. Choose at least one way."));
        found.AddRange(Told.Select(c => (c.Kind, Channels.ProblemOf(c))).Where(c => c.Item2 is not null).Select(c => (c.Kind, c.Item2!)));
        return found;
    }

    private string? ProblemOf(string field) => tried ? Problems().Where(p => p.Field == field).Select(p => p.Text).FirstOrDefault() : null;

    private string? Invalid(string field) => ProblemOf(field) is null ? null : "true";

    private async Task SaveAsync()
    {
        tried = true;
        if (Problems().Count == 0)
        {
            var asked = new NewAlertRule(changed?.Name ?? name.Trim(), condition, Told, schedule.Length == 0 ? null : schedule, Asked);
            await (changed is null ? Manage.CreateAsync(asked, Actor) : Manage.ChangeAsync(changed.Id, asked, Actor));
            await dialog!.CloseAsync();
            await OnSaved.InvokeAsync();
        }
        StateHasChanged();
    }

    private static string Targets(AlertRuleRow? rule, string kind) => string.Join('\n', rule?.Channels.Where(c => c.Kind == kind).Select(c => c.Target) ?? []);

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
