using MassTransit;
using Microsoft.Extensions.Logging;

namespace LlmOps.Lifecycle.Messaging;

/// <summary>
/// Sends hints. A hint that is lost makes things slower, never wrong: workers poll their table and pages re-read, so a broker that is
/// down must neither fail nor delay the use case that sends one.
/// </summary>
public sealed class Hints
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private readonly IBus? bus;
    private readonly ILogger<Hints>? log;
    private volatile bool connected;
    private JobReady? unsent;

    public Hints(IBus? bus = null, LiveChanges? changes = null, ILogger<Hints>? log = null)
    {
        (this.bus, this.log) = (bus, log);
        if (changes is not null)
            changes.Connected += () => _ = ResendAsync();
    }

    public async Task JobReadyAsync(Guid jobId, string needs)
    {
        // A bus that is not up may take a hint and drop it. One is kept: a worker that is woken looks for every job that is due.
        if (!await SendAsync(new JobReady(jobId, needs)) || (bus is not null && !connected))
            unsent = new JobReady(jobId, needs);
    }

    public Task CancelJobAsync(Guid jobId) => SendAsync(new CancelJob(jobId));

    public Task ChangedAsync(string area, Guid id) => SendAsync(new RowsChanged(area, id));

    private async Task ResendAsync()
    {
        connected = true;
        if (Interlocked.Exchange(ref unsent, null) is { } ready)
            await JobReadyAsync(ready.JobId, ready.Needs);
    }

    private async Task<bool> SendAsync<T>(T message) where T : class
    {
        if (bus is null)
            return true;
        try
        {
            using var patience = new CancellationTokenSource(Patience);
            await bus.Publish(message, patience.Token);
            return true;
        }
        catch (Exception e)
        {
            log?.LogWarning("A hint was not sent ({Message}); readers find the change at their next poll.", e.Message);
            return false;
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
    public const string Sweep = "sweep";
    public const string Webhook = "webhook";
}

/// <summary>The hints that reached this process. Pages subscribe and re-read; they never trust a hint's content.</summary>
public sealed class LiveChanges
{
    public event Action<RowsChanged>? Changed;
    public event Action<JobReady>? JobReady;
    public event Action<CancelJob>? CancelJob;

    /// <summary>This process began to receive hints, for the first time or again: what was said before it did not hear.</summary>
    public event Action? Connected;

    public void RaiseConnected() => Connected?.Invoke();

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

/// <summary>A queue is bound some time after the process started, and again after the broker was away.</summary>
public sealed class ConnectionObserver(LiveChanges changes) : IReceiveEndpointObserver
{
    public Task Ready(ReceiveEndpointReady ready) { changes.RaiseConnected(); return Task.CompletedTask; }

    public Task Stopping(ReceiveEndpointStopping stopping) => Task.CompletedTask;

    public Task Completed(ReceiveEndpointCompleted completed) => Task.CompletedTask;

    public Task Faulted(ReceiveEndpointFaulted faulted) => Task.CompletedTask;
}

/// <summary>Each process has its own temporary queue: hints that arrive while it is away are worth nothing to it.</summary>
public sealed class HintConsumerDefinition : ConsumerDefinition<HintConsumer>
{
    public HintConsumerDefinition() => Endpoint(e => { e.InstanceId = $"-{Environment.MachineName}-{Environment.ProcessId}"; e.Temporary = true; });
}
