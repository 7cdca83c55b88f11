using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Lifecycle.Scheduling.Channels;
using LlmOps.Lifecycle.Webhooks;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;

namespace LlmOps.Lifecycle.Tests.Scheduling;

/// <summary>Against listeners that speak the real protocols on a socket.</summary>
public abstract class NotificationTests(DatabaseProvider provider) : ProductTests(provider)
{
    private static readonly byte[] Key = [.. Enumerable.Range(1, 32).Select(i => (byte)i)];

    private SendNotifications Sender(AlertSettings settings, out WebhookChannel webhook) =>
        new(Product.Dbs, new NotificationChannels(new MailChannel(settings), webhook = new WebhookChannel(settings, Product.Clock)), new Hints(), Product.Clock);

    private async Task<Notification> AddAsync(string channel, string target)
    {
        var notification = new Notification { Channel = channel, Target = target, Title = "nightly: fail", Text = "The gate refused it. Grüße.", Href = "/incidents/1", CreatedAt = Product.Clock.GetUtcNow() };
        await Product.WriteAsync(db => db.Notifications.Add(notification));
        return notification;
    }

    private Task<Notification> StoredAsync() => ReadAsync(db => db.Notifications.AsNoTracking().SingleAsync());

    [Fact]
    public async Task Webhook_IsSignedAndSentOnce_HoweverManyClocksLook()
    {
        using var server = new HttpServer();
        var sender = Sender(new AlertSettings { WebhookKey = Key, WebhooksAllowPrivate = true, BaseUrl = "https://llmops.example.org" }, out var webhook);
        using var _ = webhook;
        var notification = await AddAsync(NotificationChannels.Webhook, server.Address);
        var sent = await AtOnceAsync(4, i => sender.SendDueAsync());
        Assert.Equal((1, NotificationState.Sent, 1), (sent.Sum(), (await StoredAsync()).State, (await StoredAsync()).Attempts));
        var (headers, body) = Assert.Single(server.Requests);
        Assert.Equal(notification.Id.ToString(), headers["webhook-id"]);
        var expected = "v1," + Convert.ToBase64String(HMACSHA256.HashData(Key, Encoding.UTF8.GetBytes($"{headers["webhook-id"]}.{headers["webhook-timestamp"]}.{body}")));
        Assert.Equal(expected, headers["webhook-signature"]);
        Assert.Contains("\"url\":\"https://llmops.example.org/incidents/1\"", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Webhook_ThatIsDown_IsTriedAgainLater_AndGivenUpAtLast()
    {
        using var server = new HttpServer(status: 503);
        var sender = Sender(new AlertSettings { WebhookKey = Key, WebhooksAllowPrivate = true }, out var webhook);
        using var _ = webhook;
        await AddAsync(NotificationChannels.Webhook, server.Address);
        Assert.Equal(0, await sender.SendDueAsync());
        var waiting = await StoredAsync();
        Assert.Equal((NotificationState.Waiting, 1, "The webhook answered 503."), (waiting.State, waiting.Attempts, waiting.Error));
        await sender.SendDueAsync();
        Assert.Single(server.Requests); // its time has not come
        server.Status = 200;
        Product.Clock.Advance(SendNotifications.Delay(1) + TimeSpan.FromSeconds(1));
        Assert.Equal(1, await sender.SendDueAsync());

        server.Status = 500;
        await AddAsync(NotificationChannels.Webhook, server.Address);
        for (var i = 0; i < SendNotifications.MostAttempts + 2; i++)
        {
            await sender.SendDueAsync();
            Product.Clock.Advance(TimeSpan.FromHours(2));
        }
        Assert.Equal(2 + SendNotifications.MostAttempts, server.Requests.Count);
        Assert.Equal(1, await CountAsync(db => db.Notifications.Where(n => n.State == NotificationState.Failed)));
    }

    [Fact]
    public async Task Webhook_IntoTheHouse_IsRefused_ByNameAndByAddress()
    {
        using var server = new HttpServer();
        var settings = new AlertSettings { WebhookKey = Key };
        var sender = Sender(settings, out var webhook);
        using var _ = webhook;
        Assert.Contains("inside the house", Assert.Throws<LlmOpsException>(() => webhook.EnsureUsable(server.Address)).Message, StringComparison.Ordinal);
        await AddAsync(NotificationChannels.Webhook, server.Address.Replace("127.0.0.1", "localhost", StringComparison.Ordinal));
        Assert.Equal(0, await sender.SendDueAsync());
        Assert.Contains("inside the house", (await StoredAsync()).Error, StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Mail_ArrivesWithItsIdInTheMessageId()
    {
        using var server = new SmtpServer();
        var sender = Sender(new AlertSettings { SmtpHost = "127.0.0.1", SmtpPort = server.Port, SmtpSecurity = "none", From = "llmops@example.org", BaseUrl = "https://llmops.example.org" }, out var webhook);
        using var _ = webhook;
        var notification = await AddAsync(NotificationChannels.Email, "rosa@example.org");
        Assert.Equal(1, await sender.SendDueAsync());
        Assert.Equal(0, await sender.SendDueAsync());
        var mail = Assert.Single(server.Mails);
        Assert.Contains("RCPT TO:<rosa@example.org>", mail, StringComparison.OrdinalIgnoreCase);
        Assert.Contains($"Message-Id: <{notification.Id:N}@example.org>", mail, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("Subject: [LlmOps] nightly: fail", mail, StringComparison.Ordinal);
        Assert.Contains("https://llmops.example.org/incidents/1", mail, StringComparison.Ordinal);
    }

    /// <summary>Answers every POST with one status and keeps what came.</summary>
    private sealed class HttpServer : IDisposable
    {
        private readonly TcpListener listener = new(IPAddress.Loopback, 0);

        public HttpServer(int status = 200)
        {
            Status = status;
            listener.Start();
            _ = LoopAsync();
        }

        public int Status { get; set; }
        public List<(Dictionary<string, string> Headers, string Body)> Requests { get; } = [];
        public string Address => $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/hook";

        public void Dispose() => listener.Dispose();

        private async Task LoopAsync()
        {
            try
            {
                while (true)
                {
                    using var client = await listener.AcceptTcpClientAsync();
                    using var reader = new StreamReader(client.GetStream(), Encoding.UTF8, leaveOpen: true);
                    var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
                    await reader.ReadLineAsync();
                    for (var line = await reader.ReadLineAsync(); line is { Length: > 0 }; line = await reader.ReadLineAsync())
                        headers[line[..line.IndexOf(':', StringComparison.Ordinal)]] = line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
                    var body = new StringBuilder();
                    var left = int.Parse(headers["Content-Length"], System.Globalization.CultureInfo.InvariantCulture);
                    for (var buffer = new char[1]; left > 0 && await reader.ReadAsync(buffer) > 0; left -= Encoding.UTF8.GetByteCount(buffer))
                        body.Append(buffer[0]);
                    Requests.Add((headers, body.ToString()));
                    await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {Status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException)
            {
                // the test is over
            }
        }
    }

    /// <summary>As much of RFC 5321 as one delivery needs.</summary>
    private sealed class SmtpServer : IDisposable
    {
        private readonly TcpListener listener = new(IPAddress.Loopback, 0);

        public SmtpServer()
        {
            listener.Start();
            _ = LoopAsync();
        }

        public List<string> Mails { get; } = [];
        public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

        public void Dispose() => listener.Dispose();

        private async Task LoopAsync()
        {
            try
            {
                using var client = await listener.AcceptTcpClientAsync();
                using var reader = new StreamReader(client.GetStream(), Encoding.UTF8);
                await using var writer = new StreamWriter(client.GetStream(), new UTF8Encoding(false)) { AutoFlush = true, NewLine = "\r\n" };
                await writer.WriteLineAsync("220 test ready");
                var all = new StringBuilder();
                for (var line = await reader.ReadLineAsync(); line is not null; line = await reader.ReadLineAsync())
                {
                    all.AppendLine(line);
                    if (line.StartsWith("DATA", StringComparison.OrdinalIgnoreCase))
                    {
                        await writer.WriteLineAsync("354 go on");
                        for (var text = await reader.ReadLineAsync(); text is not null and not "."; text = await reader.ReadLineAsync())
                            all.AppendLine(text);
                        Mails.Add(all.ToString());
                    }
                    await writer.WriteLineAsync(line.StartsWith("QUIT", StringComparison.OrdinalIgnoreCase) ? "221 bye" : "250 ok");
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException)
            {
                // the test is over
            }
        }
    }
}

public sealed class NotificationsOnSqlite() : NotificationTests(DatabaseProvider.Sqlite);

public sealed class NotificationsOnPostgres() : NotificationTests(DatabaseProvider.Postgres);

public sealed class AlertSettingsTests
{
    [Theory]
    [InlineData("10.1.2.3", true)]
    [InlineData("172.31.0.1", true)]
    [InlineData("172.32.0.1", false)]
    [InlineData("192.168.1.1", true)]
    [InlineData("169.254.169.254", true)]      // where clouds keep credentials
    [InlineData("100.64.0.1", true)]
    [InlineData("0.0.0.0", true)]
    [InlineData("8.8.8.8", false)]
    [InlineData("::1", true)]
    [InlineData("::", true)]
    [InlineData("fe80::1", true)]
    [InlineData("fd00::1", true)]
    [InlineData("::ffff:127.0.0.1", true)]
    [InlineData("64:ff9b::7f00:1", true)]
    [InlineData("2002:a00:1::", true)]
    [InlineData("2606:4700::1111", false)]
    public void Address_InsideTheHouse_IsSeen(string address, bool inside) => Assert.Equal(inside, GuardedClient.IsPrivate(IPAddress.Parse(address)));

    [Theory]
    [InlineData("Alerts:Smtp:Port", "mail", "Alerts__Smtp__Port")]
    [InlineData("Alerts:Smtp:Security", "maybe", "Alerts:Smtp:Security")]
    [InlineData("Alerts:Smtp:Host", "mail.example.org", "Alerts__Smtp__From")]
    [InlineData("Alerts:Webhooks:Secret", "short", "Alerts__Webhooks__Secret")]
    public void WrongSetting_StopsTheStart_AndNamesTheKey(string key, string value, string named) =>
        Assert.Contains(named, Assert.Throws<InvalidOperationException>(() => AlertSettings.Read(new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { [key] = value }).Build())).Message, StringComparison.Ordinal);

    [Fact]
    public void Secret_IsReadAsStandardWebhooksWritesIt() =>
        Assert.Equal(new byte[24], AlertSettings.Read(new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { ["Alerts:Webhooks:Secret"] = "whsec_" + Convert.ToBase64String(new byte[24]) }).Build()).WebhookKey);
}
