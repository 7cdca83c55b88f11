using LlmOps.Lifecycle.Data;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests;

/// <summary>Each test has a product of its own on a fresh database. A class of tests is abstract and runs once on each provider.</summary>
public abstract class ProductTests(DatabaseProvider provider) : IAsyncLifetime
{
    protected TestProduct Product { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Product = await TestProduct.CreateAsync(provider);

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (Product is not null)
            await Product.DisposeAsync();
    }

    protected T Get<T>() where T : notnull => Product.Get<T>();

    protected Task<T> ReadAsync<T>(Func<LlmOpsDb, Task<T>> read) => Product.ReadAsync(read);

    protected Task<int> CountAsync<T>(Func<LlmOpsDb, IQueryable<T>> rows) => Product.ReadAsync(db => rows(db).CountAsync());

    /// <summary>The request is refused with this code; the message is returned for closer looks.</summary>
    protected static async Task<string> RefusedAsync(ErrorCode code, Func<Task> act)
    {
        var refusal = await Assert.ThrowsAsync<LlmOpsException>(act);
        Assert.True(refusal.Code == code, $"{code} was expected, this is {refusal.Code}: {refusal.Message}");
        return refusal.Message;
    }

    /// <summary>All at the same moment, each on a thread of its own.</summary>
    protected static Task<T[]> AtOnceAsync<T>(int count, Func<int, Task<T>> act)
    {
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var tasks = Enumerable.Range(0, count).Select(i => Task.Run(async () => { await ready.Task; return await act(i); })).ToArray();
        ready.SetResult();
        return Task.WhenAll(tasks);
    }
}
