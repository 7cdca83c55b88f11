using System.Net;
using System.Net.Sockets;

namespace LlmOps.Lifecycle.Webhooks;

/// <summary>
/// Calls addresses that people typed. Redirects are not followed, no proxy and no cookies are used, and addresses inside the house are refused unless the
/// settings allow the host: whoever may name an address must not reach what only this server can reach.
/// </summary>
public sealed class GuardedClient : IDisposable
{
    private readonly Func<string, bool> allows;
    private readonly string remedy;

    /// <param name="allows">Whether this host may be inside the house.</param>
    /// <param name="remedy">What to set to allow it.</param>
    public GuardedClient(Func<string, bool> allows, string remedy)
    {
        (this.allows, this.remedy) = (allows, remedy);
        // The check is made on the address that is connected to, not on a name that may resolve to another one a moment later.
        Http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, UseCookies = false, ConnectCallback = ConnectAsync, PooledConnectionLifetime = TimeSpan.FromMinutes(2), ConnectTimeout = TimeSpan.FromSeconds(10) })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    public HttpClient Http { get; }

    public void Dispose() => Http.Dispose();

    /// <summary>Said when the address is typed; a name is checked only when it is called.</summary>
    public void EnsureUsable(string? target)
    {
        if (!Uri.TryCreate(target, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https") || address.UserInfo.Length > 0)
            throw LlmOpsException.Invalid($"'{target}' is no address of a webhook. Write it as https://host/path.");
        if (IPAddress.TryParse(address.DnsSafeHost, out var ip) && IsPrivate(ip) && !allows(address.DnsSafeHost))
            throw LlmOpsException.Invalid(Inside(address.Host));
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken ct)
    {
        var host = context.DnsEndPoint.Host;
        var addresses = await Dns.GetHostAddressesAsync(host, ct);
        var allowed = allows(host) ? addresses : [.. addresses.Where(a => !IsPrivate(a))];
        if (allowed.Length == 0)
            throw new HttpRequestException(Inside(host));
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, context.DnsEndPoint.Port, ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private string Inside(string host) => $"{host} is inside the house. {remedy}";

    /// <summary>Loopback, private, link-local, shared, unspecified, multicast and reserved ranges, also where they hide in an IPv6 address.</summary>
    public static bool IsPrivate(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (IPAddress.IsLoopback(address))
            return true;
        var b = address.GetAddressBytes();
        if (address.AddressFamily == AddressFamily.InterNetwork)
            return b[0] is 0 or 10 or 127 or >= 224 || (b[0] == 172 && b[1] is >= 16 and < 32) || (b[0] == 192 && b[1] == 168) || (b[0] == 169 && b[1] == 254) || (b[0] == 100 && b[1] is >= 64 and < 128)
                || (b[0] == 192 && b[1] == 0 && b[2] == 0) || (b[0] == 198 && b[1] is 18 or 19);
        // NAT64 and 6to4 carry an IPv4 address inside.
        if (b.AsSpan(0, 12).SequenceEqual(new byte[] { 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0 }))
            return IsPrivate(new IPAddress(b.AsSpan(12, 4)));
        if (b[0] == 0x20 && b[1] == 0x02)
            return IsPrivate(new IPAddress(b.AsSpan(2, 4)));
        return address.IsIPv6LinkLocal || address.IsIPv6Multicast || address.IsIPv6SiteLocal || (b[0] & 0xfe) == 0xfc || b.AsSpan(0, 12).IndexOfAnyExcept((byte)0) < 0;
    }
}
