using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Messaging;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Scheduling;

/// <summary>
/// Sends what waits. Each attempt is claimed by a guarded update first, so that two clocks do not send one row at the same time; a crash
/// between sending and writing that down sends again after the claim runs out. So it is at least once, and each message carries the
/// row's id for the receiver to tell a repeat by.
/// </summary>
public sealed class SendNotifications(IDbContextFactory<LlmOpsDb> dbs, NotificationChannels channels, Hints hints, TimeProvider time)
{
    public const int MostAttempts = 8;
    private static readonly TimeSpan Claim = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>30 s, 1 min, 2 min … and never more than an hour.</summary>
    public static TimeSpan Delay(int attempts) => TimeSpan.FromSeconds(Math.Min(30 * Math.Pow(2, attempts - 1), 3600));

    /// <summary>How many arrived.</summary>
    public async Task<int> SendDueAsync(CancellationToken ct = default)
    {
        List<Notification> due;
        await using (var db = await dbs.CreateDbContextAsync(ct))
        {
            var now = time.GetUtcNow();
            due = await db.Notifications.AsNoTracking().Where(n => n.State == NotificationState.Waiting && (n.NotBefore == null || n.NotBefore <= now)).OrderBy(n => n.CreatedAt).Take(50).ToListAsync(ct);
        }
        var sent = 0;
        foreach (var notification in due)
            if (await SendAsync(notification, ct))
                sent++;
        if (due.Count > 0)
            await hints.ChangedAsync(Areas.Schedule, Guid.Empty);
        return sent;
    }

    private async Task<bool> SendAsync(Notification notification, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var attempt = notification.Attempts + 1;
        var until = time.GetUtcNow() + Claim;
        var mine = db.Notifications.Where(n => n.Id == notification.Id && n.State == NotificationState.Waiting);
        if (0 == await mine.Where(n => n.Attempts == notification.Attempts).ExecuteUpdateAsync(s => s.SetProperty(n => n.Attempts, attempt).SetProperty(n => n.NotBefore, until), ct))
            return false;
        var error = await TryAsync(notification, ct);
        var now = time.GetUtcNow();
        mine = mine.Where(n => n.Attempts == attempt);
        if (error is null)
            await mine.ExecuteUpdateAsync(s => s.SetProperty(n => n.State, NotificationState.Sent).SetProperty(n => n.SentAt, now).SetProperty(n => n.Error, (string?)null).SetProperty(n => n.NotBefore, (DateTimeOffset?)null), ct);
        else if (attempt >= MostAttempts)
            await mine.ExecuteUpdateAsync(s => s.SetProperty(n => n.State, NotificationState.Failed).SetProperty(n => n.Error, error), ct);
        else
            await mine.ExecuteUpdateAsync(s => s.SetProperty(n => n.Error, error).SetProperty(n => n.NotBefore, now + Delay(attempt)), ct);
        return error is null;
    }

    /// <summary>Why it did not arrive, or null. Whatever a mail server or an address does wrong is a reason to try again, never to stop the clock.</summary>
    private async Task<string?> TryAsync(Notification notification, CancellationToken ct)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(Patience);
        try
        {
            await channels.SendAsync(notification, patience.Token);
            return null;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return $"No answer within {Patience.TotalSeconds:0} s.";
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return e.Message.Length > 500 ? e.Message[..500] : e.Message;
        }
    }
}
