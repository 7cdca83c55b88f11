using Hangfire;
using Hangfire.Dashboard;
using Hangfire.InMemory;
using Hangfire.PostgreSql;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Lifecycle.Sweeps;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracing.Drift;
using LlmOps.Web.Security;

namespace LlmOps.Web.Hosting;

/// <summary>
/// What happens by the clock. Everything here only looks at rows and edits rows, so a beat that is missed, doubled or lost with
/// Hangfire's storage costs time and nothing else.
/// </summary>
[AutomaticRetry(Attempts = 0, LogEvents = false, OnAttemptsExceeded = AttemptsExceededAction.Delete)]
public sealed class Clock(JobTransitions transitions, AdvancePipelines advance, AdvanceSweeps sweeps, FireSchedules schedules, SettleFirings settle, SendNotifications send, ExpireApprovals approvals, WatchCanaries canaries, DeleteOldTraces traces, WatchDrift drift, UploadInParts uploads)
{
    public async Task SweepAsync(CancellationToken ct)
    {
        await transitions.SweepStaleLeasesAsync(ct);
        await advance.AdvanceAllAsync(ct);
        await sweeps.AdvanceAllAsync(ct);
        await settle.SettleAsync(ct);
    }

    /// <summary>A beat of its own: a mail server that does not answer must not hold up the sweep.</summary>
    public Task SendNotificationsAsync(CancellationToken ct) => send.SendDueAsync(ct);

    public Task WatchCanariesAsync(CancellationToken ct) => canaries.WatchAsync(ct);

    public Task FireSchedulesAsync(CancellationToken ct) => schedules.FireDueAsync(ct);

    public Task DeleteOldTracesAsync(CancellationToken ct) => traces.DeleteAsync(ct);

    public Task DeleteOldUploadsAsync(CancellationToken ct) => uploads.DeleteOldAsync(ct);

    public Task WatchDriftAsync(CancellationToken ct) => drift.WatchAsync(ct);

    public Task ExpireApprovalsAsync(CancellationToken ct) => approvals.ExpireAsync(ct);
}

public static class ClockSetup
{
    public static void AddClock(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddHangfire(hangfire =>
        {
            hangfire.UseSimpleAssemblyNameTypeSerializer().UseRecommendedSerializerSettings();
            if (configuration.IsPostgres())
                hangfire.UsePostgreSqlStorage(p => p.UseNpgsqlConnection(configuration.GetConnectionString("Database")),
                    new PostgreSqlStorageOptions { SchemaName = "hangfire", PrepareSchemaIfNecessary = true, QueuePollInterval = TimeSpan.FromSeconds(2) });
            else
                hangfire.UseInMemoryStorage(new InMemoryStorageOptions { IdType = InMemoryStorageIdType.Long });
        });
        services.AddHangfireServer(o =>
        {
            o.WorkerCount = 2;
            o.SchedulePollingInterval = TimeSpan.FromSeconds(5);
        });
    }

    /// <summary>The dashboard, for administrators; and the recurring jobs, registered at every start because the storage may be new.</summary>
    public static void MapClock(this WebApplication app)
    {
        var recurring = app.Services.GetRequiredService<IRecurringJobManager>();
        recurring.AddOrUpdate<Clock>("sweep", c => c.SweepAsync(CancellationToken.None), "*/15 * * * * *");
        recurring.AddOrUpdate<Clock>("notifications", c => c.SendNotificationsAsync(CancellationToken.None), "*/15 * * * * *");
        recurring.AddOrUpdate<Clock>("canaries", c => c.WatchCanariesAsync(CancellationToken.None), "*/15 * * * * *");
        recurring.AddOrUpdate<Clock>("schedules", c => c.FireSchedulesAsync(CancellationToken.None), "* * * * *");
        recurring.AddOrUpdate<Clock>("approvals", c => c.ExpireApprovalsAsync(CancellationToken.None), "* * * * *");
        recurring.AddOrUpdate<Clock>("drift", c => c.WatchDriftAsync(CancellationToken.None), "*/5 * * * *");
        recurring.AddOrUpdate<Clock>("old traces", c => c.DeleteOldTracesAsync(CancellationToken.None), "7 * * * *");
        recurring.AddOrUpdate<Clock>("old uploads", c => c.DeleteOldUploadsAsync(CancellationToken.None), "37 * * * *");
        // What came due while no process was there need not wait for the next full minute.
        recurring.Trigger("schedules");
        app.MapHangfireDashboard("/hangfire", new DashboardOptions { Authorization = [new Administrators()], DashboardTitle = "LlmOps clock", AppPath = "/" })
            .RequirePermission(Permission.Administer);
    }

    private sealed class Administrators : IDashboardAuthorizationFilter
    {
        public bool Authorize(DashboardContext context) => context.GetHttpContext().User.ToActor().May(Permission.Administer);
    }
}
