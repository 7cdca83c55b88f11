using LlmOps.Lifecycle.Identity;

namespace LlmOps.Web.Serving;

/// <summary>Too much at once; it may be tried again after some seconds.</summary>
public sealed class TooManyRequestsException(string message, double retryAfterSeconds) : Exception(message)
{
    public int RetryAfterSeconds { get; } = (int)Math.Clamp(Math.Ceiling(retryAfterSeconds), 1, 3600);
}

/// <summary>
/// How much each client may ask for: requests and tokens in a minute, and requests at once. Both rates are buckets that fill evenly and hold one minute's worth; tokens are
/// charged when they are known, so that a bucket may run into debt, and nothing begins until that is paid.
/// </summary>
public sealed class ServingLimits(TokenLimits server, TimeProvider time)
{
    private const int MostClients = 10_000;
    private readonly Dictionary<string, Client> clients = [];
    private readonly Lock gate = new();

    /// <summary>Lets a request in, or says when it may come back.</summary>
    /// <exception cref="TooManyRequestsException">A limit is reached.</exception>
    public Admission Enter(ServingClient client)
    {
        var limits = client.Limits.Or(server);
        var (requests, tokens, concurrent) = (limits.RequestsPerMinute ?? 0, limits.TokensPerMinute ?? 0, limits.Concurrent ?? 0);
        lock (gate)
        {
            var now = time.GetUtcNow();
            if (clients.Count >= MostClients)
                foreach (var idle in clients.Where(c => c.Value.Running == 0 && now - c.Value.At > TimeSpan.FromMinutes(1) && c.Value.Tokens.Level >= 0).Select(c => c.Key).ToList())
                    clients.Remove(idle);
            if (!clients.TryGetValue(client.Name, out var found))
                clients[client.Name] = found = new() { At = now };
            Fill(found, now, requests, tokens);
            if (concurrent > 0 && found.Running >= concurrent)
                throw new TooManyRequestsException($"{found.Running} requests of this token are under way; it may have {concurrent} at once.", 1);
            if (requests > 0 && found.Requests.Level < 1)
                throw new TooManyRequestsException($"This token may make {requests} requests in a minute.", (1 - found.Requests.Level) * 60 / requests);
            if (tokens > 0 && found.Tokens.Level <= 0)
                throw new TooManyRequestsException($"This token may use {tokens} tokens in a minute.", (1 - found.Tokens.Level) * 60 / tokens);
            found.Requests.Take(1);
            found.Running++;
            return new Admission(used => Charge(found, used), () => Leave(found));
        }
    }

    private void Charge(Client client, int used)
    {
        lock (gate)
        {
            Fill(client, time.GetUtcNow(), client.Requests.Size, client.Tokens.Size);
            client.Tokens.Take(used);
        }
    }

    private void Leave(Client client)
    {
        lock (gate)
            client.Running--;
    }

    private static void Fill(Client client, DateTimeOffset now, int requests, int tokens)
    {
        var minutes = Math.Max(0, (now - client.At).TotalMinutes);
        client.At = now;
        client.Requests.Fill(requests, minutes);
        client.Tokens.Fill(tokens, minutes);
    }

    private sealed class Client
    {
        public DateTimeOffset At { get; set; }
        public Bucket Requests { get; } = new();
        public Bucket Tokens { get; } = new();
        public int Running { get; set; }
    }

    /// <summary>Holds one minute's worth; without a size nothing is counted.</summary>
    private sealed class Bucket
    {
        public int Size { get; private set; }
        public double Level { get; private set; }

        public void Fill(int size, double minutes)
        {
            // One that becomes limited begins with a full bucket; a change of the limit neither fills it nor forgives a debt.
            Level = Size == 0 ? size : Math.Min(size, Level + size * minutes);
            Size = size;
        }

        public void Take(int count)
        {
            if (Size > 0)
                Level -= count;
        }
    }
}

/// <summary>A request that was let in. It is charged with the tokens that it takes, and ended once.</summary>
public sealed class Admission(Action<int> charge, Action end) : IDisposable
{
    private int ended;

    /// <summary>Of what nobody asked for.</summary>
    public static Admission Free() => new(_ => { }, () => { });

    public void Charge(int tokens) => charge(tokens);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref ended, 1) == 0)
            end();
    }
}
