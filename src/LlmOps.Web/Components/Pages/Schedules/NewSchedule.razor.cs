using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
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
    private string? problem;

    [Inject] private ReadPipelines Pipelines { get; set; } = null!;
    [Inject] private ManageSchedules Manage { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter] public EventCallback OnCreated { get; set; }

    private string? Missing => problem is not null ? "Mend the cron expression first." : name.Trim().Length == 0 ? "Give the schedule a name." : pipeline.Length == 0 ? "There is no pipeline to start." : null;

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
            next = ReadSchedules.Upcoming(cron, timeZone, Clock.GetUtcNow(), 3);
            if (next.Count == 0) problem = "This expression names no time that will ever come.";
        }
        catch (LlmOpsException e)
        {
            problem = e.Message; // while a person types, most of what they typed is not a cron expression yet
        }
    }

    private async Task CreateAsync()
    {
        await Manage.CreateAsync(name.Trim(), pipeline, cron.Trim(), timeZone, Actor);
        await dialog.CloseAsync();
        await OnCreated.InvokeAsync();
    }
}
