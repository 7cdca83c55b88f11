namespace LlmOps.Engines.Inference.Batching;

/// <summary>
/// Waiting requests of several clients. The next one is of the client that got the fewest tokens; one that comes back after a pause starts level with those who stayed
/// (start-time fair queueing), so that nobody saves up turns and nobody with many requests keeps others out. Not thread-safe.
/// </summary>
internal sealed class FairQueue<T> where T : class
{
    private readonly Dictionary<string, Client> clients = [];
    private double floor;

    public int Count => clients.Values.Sum(c => c.Waiting.Count);

    public void Add(string client, T item)
    {
        if (!clients.TryGetValue(client, out var found))
            clients[client] = found = new() { Used = floor };
        if (found.Waiting.Count == 0)
            found.Used = Math.Max(found.Used, floor);
        found.Waiting.AddLast(item);
    }

    public T? Peek() => Next()?.Waiting.First!.Value;

    /// <summary>Takes what <see cref="Peek"/> shows.</summary>
    public T? Take()
    {
        if (Next() is not { } client)
            return null;
        var item = client.Waiting.First!.Value;
        client.Waiting.RemoveFirst();
        floor = Math.Max(floor, client.Used);
        return item;
    }

    /// <summary>Takes those out for which it holds.</summary>
    public List<T> Remove(Func<T, bool> where)
    {
        var removed = clients.Values.SelectMany(c => c.Waiting).Where(where).ToList();
        foreach (var client in clients.Values)
            foreach (var item in removed)
                client.Waiting.Remove(item);
        return removed;
    }

    /// <summary>The client got so many tokens.</summary>
    public void Charge(string client, int tokens)
    {
        if (clients.TryGetValue(client, out var found))
            found.Used += tokens;
    }

    /// <summary>Forgets clients that neither wait nor have anything under way.</summary>
    public void Forget(Func<string, bool> isIdle)
    {
        foreach (var client in clients.Where(c => c.Value.Waiting.Count == 0 && isIdle(c.Key)).Select(c => c.Key).ToList())
            clients.Remove(client);
    }

    // The name breaks ties, so that equal histories give equal orders.
    private Client? Next() => clients.Where(c => c.Value.Waiting.Count > 0).OrderBy(c => c.Value.Used).ThenBy(c => c.Key, StringComparer.Ordinal).Select(c => c.Value).FirstOrDefault();

    private sealed class Client
    {
        public LinkedList<T> Waiting { get; } = [];
        public double Used { get; set; }
    }
}
