using LlmOps.Lifecycle.Scheduling.Channels;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Lifecycle.Scheduling;

internal static class SchedulingSetup
{
    /// <summary>Everything that happens by the clock, and who is told about it.</summary>
    public static void AddScheduling(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton(AlertSettings.Read(configuration));
        services.AddSingleton<MailChannel>();
        services.AddSingleton<WebhookChannel>();
        services.AddSingleton<NotificationChannels>();
        services.AddSingleton<Promotion.JudgeRuns>();
        services.AddSingleton<ManageSchedules>();
        services.AddSingleton<FireSchedules>();
        services.AddSingleton<SettleFirings>();
        services.AddSingleton<SendNotifications>();
        services.AddSingleton<ManageAlertRules>();
        services.AddSingleton<HandleIncident>();
        services.AddSingleton<ReadSchedules>();
        services.AddSingleton<ReadAlerts>();
        services.AddSingleton<ReadCalendar>();
        services.AddSingleton<ReadIncidents>();
    }
}
