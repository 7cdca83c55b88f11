using LlmOps.Lifecycle.Messaging;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace LlmOps.Lifecycle.Tests.Messaging;

public sealed class HintTests
{
    [Fact]
    public async Task AHintThatTheBusDidNotTake_IsSentWhenItCanHear()
    {
        await using var services = new ServiceCollection().AddLogging().AddBus(new ConfigurationBuilder().Build()).BuildServiceProvider();
        var heard = new TaskCompletionSource<JobReady>(TaskCreationOptions.RunContinuationsAsynchronously);
        var connected = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var changes = services.GetRequiredService<LiveChanges>();
        changes.JobReady += ready => heard.TrySetResult(ready);
        changes.Connected += () => connected.TrySetResult();
        var job = Guid.NewGuid();

        await services.GetRequiredService<Hints>().JobReadyAsync(job, "cpu");
        Assert.False(heard.Task.IsCompleted, "The bus is not started: nothing can have been heard.");

        foreach (var hosted in services.GetServices<IHostedService>())
            await hosted.StartAsync(TestContext.Current.CancellationToken);
        await connected.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(job, (await heard.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken)).JobId);

        foreach (var hosted in services.GetServices<IHostedService>())
            await hosted.StopAsync(TestContext.Current.CancellationToken);
    }
}
