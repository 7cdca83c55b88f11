using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Schedules;

/// <summary>Asks for a schedule and shows when it would start before it is made.</summary>
public sealed partial class NewSchedule
{
    private static readonly IReadOnlyList<string> Zones =
        [.. TimeZoneInfo.GetSystemTimeZones().Select(z => z.Id).Where(id => id.Contains('/') && !id.StartsWith("Etc/", StringComparison.Ordinal)).Prepend("UTC").Distinct().OrderBy(id => id == "UTC" ? "" : id, StringComparer.Ordinal)];
    private ModalDialog dialog = null!;
    private IReadOnlyList<string> pipelines = [];
    private IReadOnlyList<DateTimeOffset> next = [];
    private string name = "", pipeline = "", cron = "0 3 * * *", timeZone = "UTC";
    private string kind = Schedule.Pipeline, subject = "", baseline = "previous", suite = "quickstart", instructions = "", preferences = "", policy = "", rules = "";
    private int baselineDays = 7, rows = 500;
    private OverlapPolicy overlap;
    private CatchUpPolicy catchUp;
    private string? problem;

    [Inject] private ReadPipelines Pipelines { get; set; } = null!;
    [Inject] private ManageSchedules Manage { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter] public EventCallback OnCreated { get; set; }

    private string? Missing => problem is not null ? "Mend the cron expression first." : name.Trim().Length == 0 ? "Give the schedule a name." : kind == Schedule.Regression ? (subject.Trim().Length == 0 ? "Say what is watched." : policy.Trim().Length + rules.Trim().Length == 0 ? "Give a policy or rules." : null)
        : pipeline.Length == 0 ? "There is no pipeline to start." : null;

    public async Task OpenAsync(string? forPipeline)
    {
        pipelines = await Pipelines.NamesAsync();
        pipeline = forPipeline ?? (pipelines.Count > 0 ? pipelines[0] : "");
        name = forPipeline is null ? "" : $"{forPipeline}-nightly";
        Preview(cron, timeZone);
        await dialog.OpenAsync();
    }

    private void Preview(string expression, string zone)
    {
        (cron, timeZone, problem) = (expression, zone, null);
        try
        {
            next = ScheduleTimes.Upcoming(cron, timeZone, Clock.GetUtcNow(), 5);
            if (next.Count == 0) problem = "This expression names no time that will ever come.";
        }
        catch (LlmOpsException e)
        {
            problem = e.Message; // while a person types, most of what they typed is not a cron expression yet
        }
    }

    private async Task CreateAsync()
    {
        var spec = kind == Schedule.Pipeline ? null : new RegressionSpec
        {
            Subject = subject.Trim(), Baseline = baseline.Trim(), BaselineDays = baselineDays, Suite = suite.Trim(), Instructions = instructions.Trim(), Preferences = preferences.Trim(), Rows = rows,
            Policy = policy.Trim().Length > 0 ? policy.Trim() : null, Rules = rules.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
        };
        await Manage.CreateAsync(new ScheduleRequest(name.Trim(), cron.Trim(), timeZone, spec is null ? pipeline : null, spec, overlap, catchUp), Actor);
        await dialog.CloseAsync();
        await OnCreated.InvokeAsync();
    }
}
