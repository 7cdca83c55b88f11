using System.Globalization;
using LlmOps.Lifecycle.Scheduling;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Schedules;

/// <summary>A month or a week of firings and of times to come; the address says which.</summary>
public sealed partial class ScheduleCalendar
{
    private IReadOnlyList<CalendarDay>? days;
    private DateOnly first, last, today;
    private TimeZoneInfo zone = TimeZoneInfo.Utc;
    private bool weekly;

    [Inject] private ReadCalendar Calendar { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;

    [SupplyParameterFromQuery] private string? From { get; set; }
    [SupplyParameterFromQuery] private string? View { get; set; }
    [SupplyParameterFromQuery] private string? Zone { get; set; }

    private DateOnly Previous => weekly ? first.AddDays(-7) : first.AddMonths(-1);
    private DateOnly Next => weekly ? first.AddDays(7) : first.AddMonths(1);

    protected override Task OnParametersSetAsync()
    {
        zone = Zone is { Length: > 0 } id && TimeZoneInfo.TryFindSystemTimeZoneById(id, out var found) ? found : TimeZoneInfo.Utc;
        weekly = View == "week";
        today = DateOnly.FromDateTime(TimeZoneInfo.ConvertTime(Clock.GetUtcNow(), zone).DateTime);
        var day = DateOnly.TryParseExact(From, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var asked) ? asked : today;
        first = weekly ? day.AddDays(-(((int)day.DayOfWeek + 6) % 7)) : new DateOnly(day.Year, day.Month, 1);
        last = weekly ? first.AddDays(6) : first.AddMonths(1).AddDays(-1);
        return ReadAsync();
    }

    private async Task ReadAsync() => days = await Calendar.ReadAsync(first, last, zone);

    private string Link(DateOnly from, bool week) =>
        $"/schedules/calendar?from={from.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}&view={(week ? "week" : "month")}{(Zone is { Length: > 0 } ? "&zone=" + Uri.EscapeDataString(Zone) : "")}";
}
