using MassTransit;
using Microsoft.Extensions.Logging;

namespace LlmOps.Lifecycle.Messaging;

/// <summary>
/// Sends hints. A hint that is lost makes things slower, never wrong: workers poll their table and pages re-read, so a broker that is
/// down must neither fail nor delay the use case that sends one.
/// </summary>
public sealed class Hints(IBus? bus = null, ILogger<Hints>? log = null)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public Task JobReadyAsync(Guid jobId, string needs) => SendAsync(new JobReady(jobId, needs));

    public Task CancelJobAsync(Guid jobId) => SendAsync(new CancelJob(jobId));

    public Task ChangedAsync(string area, Guid id) => SendAsync(new RowsChanged(area, id));

    private async Task SendAsync<T>(T message) where T : class
    {
        if (bus is null)
            return;
        try
        {
            using var patience = new CancellationTokenSource(Patience);
            await bus.Publish(message, patience.Token);
        }
        catch (Exception e)
        {
            log?.LogWarning("A hint was not sent ({Message}); readers find the change at their next poll.", e.Message);
        }
    }
}

/// <summary>Names of what <see cref="RowsChanged"/> can be about.</summary>
public static class Areas
{
    public const string Job = "job";
    public const string Pipeline = "pipeline";
    public const string Model = "model";
    public const string Dataset = "dataset";
    public const string Run = "run";
    public const string Evaluation = "evaluation";
    public const string Approval = "approval";
    public const string Deployment = "deployment";
    public const string Knowledge = "knowledge";
    public const string Worker = "worker";
    public const string Trace = "trace";
    public const string Schedule = "schedule";
}

/// <summary>The hints that reached this process. Pages subscribe and re-read; they never trust a hint's content.</summary>
public sealed class LiveChanges
{
    public event Action<RowsChanged>? Changed;
    public event Action<JobReady>? JobReady;
    public event Action<CancelJob>? CancelJob;

    public void Raise(RowsChanged change) => Changed?.Invoke(change);
    public void Raise(JobReady ready) => JobReady?.Invoke(ready);
    public void Raise(CancelJob cancel) => CancelJob?.Invoke(cancel);
}

public sealed class HintConsumer(LiveChanges changes) : IConsumer<RowsChanged>, IConsumer<JobReady>, IConsumer<CancelJob>
{
    public Task Consume(ConsumeContext<RowsChanged> context) { changes.Raise(context.Message); return Task.CompletedTask; }

    public Task Consume(ConsumeContext<JobReady> context) { changes.Raise(context.Message); return Task.CompletedTask; }

    public Task Consume(ConsumeContext<CancelJob> context) { changes.Raise(context.Message); return Task.CompletedTask; }
}

/// <summary>Each process has its own temporary queue: hints that arrive while it is away are worth nothing to it.</summary>
public sealed class HintConsumerDefinition : ConsumerDefinition<HintConsumer>
{
    public HintConsumerDefinition() => Endpoint(e => { e.InstanceId = $"-{Environment.MachineName}-{Environment.ProcessId}"; e.Temporary = true; });
}
