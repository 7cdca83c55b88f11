using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Schedules;

/// <summary>Alert rules and what they said, with whether it arrived.</summary>
public sealed partial class AlertRules
{
    private IReadOnlyList<AlertRuleRow>? rules;
    private IReadOnlyList<Notification> messages = [];
    private AlertRuleForm? form;
    private ConfirmDialog? confirm;
    private AlertRuleRow? doomed;

    [Inject] private ReadAlerts Alerts { get; set; } = null!;
    [Inject] private ManageAlertRules Manage { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    private string? Objection => Actor.Objection(Permission.RunPipelines);

    protected override Task OnInitializedAsync() => ReadAsync();

    private async Task ReadAsync()
    {
        messages = await Alerts.NotificationsAsync();
        rules = await Alerts.RulesAsync();
    }

    private Task TestAsync(AlertRuleRow rule) => ActAsync(() => Manage.TestAsync(rule.Id, Actor));

    private Task EnableAsync(AlertRuleRow rule) => ActAsync(() => Manage.EnableAsync(rule.Id, !rule.Enabled, Actor));

    private Task DeleteAsync() => ActAsync(() => Manage.DeleteAsync(doomed!.Id, Actor));

    private async Task ActAsync(Func<Task> act)
    {
        await act();
        await ReadAsync();
        StateHasChanged();
    }

    private Task AskAsync(AlertRuleRow rule)
    {
        doomed = rule;
        StateHasChanged();
        return confirm!.OpenAsync();
    }
}

/// <summary>A rule in words.</summary>
internal static class AlertWords
{
    public static string Of(AlertRuleRow rule) => rule.Condition switch
    {
        AlertConditions.CannotTell => $"the rows could not tell {rule.Parameters.Runs} times in a row",
        AlertConditions.Trend => $"{rule.Parameters.Metric} gets worse (last {rule.Parameters.Last} firings)",
        var other => Of(other),
    };

    public static string Of(string condition) => condition switch
    {
        AlertConditions.Fail => "the gate refuses it",
        AlertConditions.CannotTell => "the rows could not tell, several times in a row",
        AlertConditions.Trend => "a metric gets worse over the last firings",
        AlertConditions.Failed => "it could not be started, or its run failed",
        AlertConditions.Drift => "a deployment's traffic drifts",
        AlertConditions.Missed => "a due time was missed",
        _ => condition,
    };

    public static string Channels(AlertRuleRow rule) => string.Join(", ", rule.Channels.Select(c => c.Target ?? "this page"));
}
