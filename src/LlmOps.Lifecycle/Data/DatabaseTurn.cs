namespace LlmOps.Lifecycle.Data;

/// <summary>SQLite has one writer at a time, and one that waits for it inside the process waits less than one that asks again and again. PostgreSQL has no such turn.</summary>
public sealed class DatabaseTurn(bool one) : IDisposable
{
    private readonly SemaphoreSlim free = new(1);

    public async ValueTask<IDisposable?> TakeAsync()
    {
        if (!one)
            return null;
        await free.WaitAsync();
        return new Taken(free);
    }

    public void Dispose() => free.Dispose();

    private sealed class Taken(SemaphoreSlim free) : IDisposable
    {
        public void Dispose() => free.Release();
    }
}
