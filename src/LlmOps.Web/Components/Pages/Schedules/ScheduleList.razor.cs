using System.Globalization;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Schedules;

public sealed partial class ScheduleList
{
    private IReadOnlyList<ScheduleRow>? schedules;
    private NewSchedule create = null!;
    private ConfirmDialog confirm = null!;
    private ScheduleRow? doomed;

    [Inject] private ReadSchedules Schedules { get; set; } = null!;
    [Inject] private ManageSchedules Manage { get; set; } = null!;
    [Inject] private FireSchedules Fire { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    private string? Objection => Actor.Objection(Permission.RunPipelines);

    protected override Task OnInitializedAsync() => ReadAsync();

    internal static string Local(DateTimeOffset at, string timeZone) =>
        TimeZoneInfo.ConvertTime(at, TimeZoneInfo.FindSystemTimeZoneById(timeZone)).ToString("ddd d MMM, HH:mm", CultureInfo.InvariantCulture);

    private async Task ReadAsync() => schedules = await Schedules.ListAsync();

    private DateTimeOffset? Next(ScheduleRow schedule) =>
        schedule.Enabled ? ScheduleTimes.NextAfter(schedule.Cron, schedule.TimeZone, Clock.GetUtcNow()) : null;

    private async Task EnableAsync(ScheduleRow schedule, bool enabled)
    {
        await Manage.EnableAsync(schedule.Id, enabled, Actor);
        await ReadAsync();
        StateHasChanged();
    }

    private async Task RunNowAsync(ScheduleRow schedule)
    {
        await Fire.RunNowAsync(schedule.Id, Actor);
        await ReadAsync();
        StateHasChanged();
    }

    private Task AskAsync(ScheduleRow schedule)
    {
        doomed = schedule;
        StateHasChanged();
        return confirm.OpenAsync();
    }

    private async Task DeleteAsync()
    {
        await Manage.DeleteAsync(doomed!.Id, Actor);
        await ReadAsync();
        StateHasChanged();
    }
}
