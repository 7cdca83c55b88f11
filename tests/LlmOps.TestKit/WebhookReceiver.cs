using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LlmOps.TestKit;

/// <summary>A receiver of webhooks on a socket of its own: it keeps what came, and answers what it is told to.</summary>
public sealed class WebhookReceiver : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);

    public WebhookReceiver()
    {
        listener.Start();
        _ = LoopAsync();
    }

    public sealed record Call(IReadOnlyDictionary<string, string> Headers, byte[] Body)
    {
        public string Text => Encoding.UTF8.GetString(Body);
    }

    public int Status { get; set; } = 200;
    public string Answer { get; set; } = "";
    /// <summary>Further header lines, each with its "\r\n".</summary>
    public string Extra { get; set; } = "";
    public ConcurrentQueue<Call> Calls { get; } = new();
    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;
    public string Address => $"http://localhost:{Port}/hook";

    public void Dispose() => listener.Dispose();

    private async Task LoopAsync()
    {
        try
        {
            while (true)
                _ = AnswerAsync(await listener.AcceptTcpClientAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // the test is over
        }
    }

    private async Task AnswerAsync(TcpClient client)
    {
        using var _ = client;
        try
        {
            var stream = client.GetStream();
            var head = new List<byte>();
            var one = new byte[1];
            while (!Encoding.ASCII.GetString([.. head.TakeLast(4)]).Equals("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one) > 0)
                head.Add(one[0]);
            var headers = Encoding.ASCII.GetString([.. head]).Split("\r\n").Skip(1).Where(l => l.Contains(':', StringComparison.Ordinal))
                .ToDictionary(l => l[..l.IndexOf(':', StringComparison.Ordinal)], l => l[(l.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim(), StringComparer.OrdinalIgnoreCase);
            var body = new byte[int.Parse(headers["Content-Length"], CultureInfo.InvariantCulture)];
            await stream.ReadExactlyAsync(body);
            var answer = Encoding.UTF8.GetBytes(Answer);
            Calls.Enqueue(new(headers, body));
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {Status} X\r\n{Extra}Content-Length: {answer.Length}\r\nConnection: close\r\n\r\n"));
            await stream.WriteAsync(answer);
        }
        catch (Exception e) when (e is IOException or EndOfStreamException)
        {
            // whoever called went away
        }
    }
}
