using System.Collections.Concurrent;

namespace LlmOps.Web.Components.Shared;

/// <summary>Says that something changed: the area's word ("job", "run", "approval") and its id. Never carries the data itself: who cares reads it again.</summary>
public readonly record struct Change(string Topic, string? Id = null);

/// <summary>Carries changes from the bus to the pages that are open in this process. One per process.</summary>
public sealed class ChangeFeed
{
    private readonly ConcurrentDictionary<object, Action<Change>> listeners = new();

    public void Publish(Change change)
    {
        foreach (var listener in listeners.Values) listener(change);
    }

    public void Publish(string topic, string? id = null) => Publish(new Change(topic, id));

    /// <summary><paramref name="listener"/> runs on the publisher's thread: it must only take note. Disposing ends it.</summary>
    public IDisposable Listen(Action<Change> listener)
    {
        var subscription = new Subscription(this);
        listeners[subscription] = listener;
        return subscription;
    }

    private sealed class Subscription(ChangeFeed feed) : IDisposable
    {
        public void Dispose() => feed.listeners.TryRemove(this, out _);
    }
}
