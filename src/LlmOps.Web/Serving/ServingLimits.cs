using System.Security.Cryptography;
using System.Text;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Security;

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
public sealed class ServingLimits(IConfiguration configuration, TimeProvider time)
{
    private const int MostClients = 10_000;
    private readonly int requests = ServedModels.Between(configuration, "Serving:Limits:RequestsPerMinute", 0, 0, int.MaxValue);
    private readonly int tokens = ServedModels.Between(configuration, "Serving:Limits:TokensPerMinute", 0, 0, int.MaxValue);
    private readonly int concurrent = ServedModels.Between(configuration, "Serving:Limits:Concurrent", 0, 0, int.MaxValue);
    private readonly Dictionary<string, Client> clients = [];
    private readonly Lock gate = new();

    /// <summary>A program by its token, so that each has limits of its own; a session by its person.</summary>
    public static string ClientOf(HttpContext http) => http.User.Identity?.AuthenticationType == TokenAuthentication.Scheme
        ? "token:" + Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(http.Request.Headers.Authorization.ToString())), 0, 8) : ClientOf(http.User.ToActor());

    public static string ClientOf(Actor actor) => $"person:{actor.Id:N}";

    /// <summary>Lets a request in, or says when it may come back.</summary>
    /// <exception cref="TooManyRequestsException">A limit is reached.</exception>
    public Admission Enter(string client)
    {
        lock (gate)
        {
            var now = time.GetUtcNow();
            if (clients.Count >= MostClients)
                foreach (var idle in clients.Where(c => c.Value.Running == 0 && now - c.Value.At > TimeSpan.FromMinutes(1) && c.Value.Tokens >= 0).Select(c => c.Key).ToList())
                    clients.Remove(idle);
            if (!clients.TryGetValue(client, out var found))
                clients[client] = found = new() { At = now, Requests = requests, Tokens = tokens };
            Fill(found, now);
            if (concurrent > 0 && found.Running >= concurrent)
                throw new TooManyRequestsException($"{found.Running} requests of this token are under way; it may have {concurrent} at once.", 1);
            if (requests > 0 && found.Requests < 1)
                throw new TooManyRequestsException($"This token may make {requests} requests in a minute.", (1 - found.Requests) * 60 / requests);
            if (tokens > 0 && found.Tokens <= 0)
                throw new TooManyRequestsException($"This token may use {tokens} tokens in a minute.", (1 - found.Tokens) * 60 / tokens);
            found.Requests--;
            found.Running++;
            return new Admission(used => Leave(found, used));
        }
    }

    private void Leave(Client client, int used)
    {
        lock (gate)
        {
            Fill(client, time.GetUtcNow());
            client.Tokens -= used;
            client.Running--;
        }
    }

    private void Fill(Client client, DateTimeOffset now)
    {
        var minutes = Math.Max(0, (now - client.At).TotalMinutes);
        client.At = now;
        client.Requests = Math.Min(requests, client.Requests + requests * minutes);
        client.Tokens = Math.Min(tokens, client.Tokens + tokens * minutes);
    }

    private sealed class Client
    {
        public DateTimeOffset At { get; set; }
        public double Requests { get; set; }
        public double Tokens { get; set; }
        public int Running { get; set; }
    }
}

/// <summary>A request that was let in; ended once, with the tokens that it took.</summary>
public sealed class Admission(Action<int> end)
{
    private int ended;

    public void End(int tokens)
    {
        if (Interlocked.Exchange(ref ended, 1) == 0)
            end(tokens);
    }
}
