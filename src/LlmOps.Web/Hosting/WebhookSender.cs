using LlmOps.Lifecycle.Webhooks;

namespace LlmOps.Web.Hosting;

/// <summary>
/// Sends webhooks as they come due. A loop of its own: it waits for other people's servers, which must not hold up the clock's two workers. Rows are claimed,
/// so several processes may run it.
/// </summary>
public sealed class WebhookSender(SendWebhooks send, TimeProvider time, ILogger<WebhookSender> log) : BackgroundService
{
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Between = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var forget = time.GetUtcNow();
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var arrived = await send.SendDueAsync(stoppingToken);
                if (time.GetUtcNow() >= forget)
                {
                    await send.ForgetOldAsync(stoppingToken);
                    forget = time.GetUtcNow() + Between;
                }
                if (arrived == 0)
                    await Task.Delay(Beat, time, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            // A database that is away comes back; whoever waits for the rows finds them then.
            catch (Exception e)
            {
                log.LogWarning(e, "Webhooks were not sent; trying again.");
                await Task.Delay(Beat * 10, time, stoppingToken);
            }
        }
    }
}
