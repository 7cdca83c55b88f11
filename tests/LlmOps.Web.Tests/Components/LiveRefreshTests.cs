using Bunit;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Web.Components.Shared;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Web.Tests.Components;

public sealed class LiveRefreshTests : InterfaceContext
{
    [Fact]
    public async Task ManyChanges_AreReadFewTimes_AndTheLastIsNotMissed()
    {
        var feed = Services.GetRequiredService<LiveChanges>();
        int published = 0, seen = 0, reads = 0;
        Render<LiveRefresh>(p => p.Add(r => r.Topics, "job").Add(r => r.OnChange, () => { reads++; seen = Volatile.Read(ref published); }));
        for (var i = 1; i <= 200; i++)
        {
            Volatile.Write(ref published, i);
            feed.Raise(new RowsChanged(Areas.Job, Guid.NewGuid()));
            if (i % 20 == 0) await Task.Delay(5, Xunit.TestContext.Current.CancellationToken);
        }
        for (var i = 0; i < 100 && Volatile.Read(ref seen) < 200; i++) await Task.Delay(20, Xunit.TestContext.Current.CancellationToken);
        Assert.Equal(200, seen);
        Assert.InRange(reads, 1, 20);
    }

    [Fact]
    public async Task OtherTopicsAndIds_AreNotRead()
    {
        var feed = Services.GetRequiredService<LiveChanges>();
        var reads = 0;
        var id = Guid.NewGuid();
        Render<LiveRefresh>(p => p.Add(r => r.Topics, "job, run").Add(r => r.Id, (Guid?)id).Add(r => r.OnChange, () => { Interlocked.Increment(ref reads); }));
        feed.Raise(new RowsChanged(Areas.Approval, id));
        feed.Raise(new RowsChanged(Areas.Job, Guid.NewGuid()));
        await Task.Delay(50, Xunit.TestContext.Current.CancellationToken);
        Assert.Equal(0, reads);
        feed.Raise(new RowsChanged(Areas.Run, id));
        for (var i = 0; i < 100 && Volatile.Read(ref reads) == 0; i++) await Task.Delay(10, Xunit.TestContext.Current.CancellationToken);
        Assert.Equal(1, reads);
    }

    [Fact]
    public async Task Disposed_ReadsNoMore()
    {
        var feed = Services.GetRequiredService<LiveChanges>();
        var reads = 0;
        Render<LiveRefresh>(p => p.Add(r => r.OnChange, () => { Interlocked.Increment(ref reads); }));
        await DisposeComponentsAsync();
        feed.Raise(new RowsChanged(Areas.Job, Guid.NewGuid()));
        await Task.Delay(50, Xunit.TestContext.Current.CancellationToken);
        Assert.Equal(0, reads);
    }
}
