using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using LlmOps.Lifecycle.Identity;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace LlmOps.Web.Tests.Api;

/// <summary>Clients that do not keep to HTTP, over sockets, because every library does: nothing is answered by a 5xx, nothing is stored by halves, and a slow one does not hold a connection.</summary>
public sealed class HostileClientTests(HostileClientTests.ImpatientServer server) : IClassFixture<HostileClientTests.ImpatientServer>
{
    /// <summary>A real Kestrel, which waits two seconds for slow clients.</summary>
    public sealed class ImpatientServer : IAsyncLifetime
    {
        public WebProduct Product { get; } = new() { Patience = 2 };
        public string Token { get; private set; } = "";
        public int Port { get; private set; }

        public async ValueTask InitializeAsync()
        {
            Product.UseKestrel(0);
            await Product.InitializeAsync();
            using var program = await Product.ProgramAsync(Roles.Engineer);
            Token = program.DefaultRequestHeaders.Authorization!.Parameter!;
            Port = new Uri(Product.Get<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;
        }

        public ValueTask DisposeAsync() => Product.DisposeAsync();
    }

    private async Task<NetworkStream> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, server.Port);
        return new NetworkStream(socket, ownsSocket: true);
    }

    private string Head(string line, params string[] headers) => $"{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.Token}\r\n{string.Concat(headers.Select(h => h + "\r\n"))}\r\n";

    /// <summary>All that comes until the server closes.</summary>
    private static async Task<string> RestAsync(NetworkStream stream)
    {
        var text = new StringBuilder();
        var buffer = new byte[8192];
        try
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            for (int read; (read = await stream.ReadAsync(buffer, patience.Token)) > 0;)
                text.Append(Encoding.Latin1.GetString(buffer, 0, read));
        }
        catch (IOException)
        {
            // it closed while bytes were on their way to it
        }
        return text.ToString();
    }

    private async Task<string> SendAsync(string request)
    {
        await using var stream = await ConnectAsync();
        try
        {
            await stream.WriteAsync(Encoding.Latin1.GetBytes(request));
        }
        catch (IOException)
        {
            // refused before the end, which is the server's right
        }
        return await RestAsync(stream);
    }

    private static int Status(string answer) => answer.StartsWith("HTTP/1.1 ", StringComparison.Ordinal) ? int.Parse(answer.AsSpan(9, 3), CultureInfo.InvariantCulture) : 0;

    [Theory]
    [InlineData("GET", "/api/2.0/mlflow-artifacts/artifacts/../../../../../../etc/passwd")]
    [InlineData("GET", "/api/2.0/mlflow-artifacts/artifacts/1/%2e%2e/%2e%2e/%2e%2e/etc/passwd")]
    [InlineData("GET", "/api/2.0/mlflow-artifacts/artifacts/1/..%2f..%2f..%2fetc%2fpasswd")]
    [InlineData("GET", "/api/2.0/mlflow-artifacts/artifacts/1/..%252f..%252fetc%252fpasswd")]
    [InlineData("GET", "/api/2.0/mlflow-artifacts/artifacts/1/..\\..\\..\\etc\\passwd")]
    [InlineData("GET", "/api/2.0/mlflow-artifacts/artifacts/1/..%5c..%5c..%5cetc%5cpasswd")]
    [InlineData("GET", "/api/2.0/mlflow-artifacts/artifacts/1/....//....//etc/passwd")]
    [InlineData("GET", "/api/2.0/mlflow-artifacts/artifacts/1/..;/..;/etc/passwd")]
    [InlineData("GET", "/api/2.0/mlflow-artifacts/artifacts/1/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd")]
    [InlineData("GET", "/api/2.0/mlflow-artifacts/artifacts/1/..%00/etc/passwd")]
    [InlineData("GET", "/api/2.0/mlflow-artifacts/artifacts//etc/passwd")]
    [InlineData("GET", "/api/2.0/mlflow-artifacts/artifacts/1/file:///etc/passwd")]
    [InlineData("GET", "/get-artifact?run_uuid=x&path=../../../etc/passwd")]
    [InlineData("GET", "/css/../../../../../../etc/passwd")]
    [InlineData("GET", "/css/..%2f..%2f..%2f..%2fetc/passwd")]
    [InlineData("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/..%2f..%2f..%2f..%2f..%2ftmp%2fllmops-traversal")]
    [InlineData("DELETE", "/api/2.0/mlflow-artifacts/artifacts/1/../../../../../../etc/hostname")]
    public async Task Traversal_AsTheSocketSendsIt_FindsNothing(string method, string target)
    {
        var answer = await SendAsync(Head($"{method} {target}", "Connection: close", "Content-Length: 0"));
        Assert.InRange(Status(answer), 200, 499);
        Assert.DoesNotContain("root:", answer, StringComparison.Ordinal);
        Assert.DoesNotContain(server.Product.Folder, answer, StringComparison.Ordinal);
        Assert.False(File.Exists("/tmp/llmops-traversal"));
    }

    /// <summary>A body that does not say how long it is cannot be refused by its header.</summary>
    [Theory]
    [InlineData("/api/2.0/mlflow/runs/log-batch", "application/json", 1_100_000, 400)]
    [InlineData("/v1/traces", "application/x-protobuf", 22_000_000, 413)]
    public async Task ChunkedBody_OverTheLimit_IsRefused(string path, string type, int length, int status)
    {
        var chunk = new string('x', 50_000);
        var body = new StringBuilder();
        for (var sent = 0; sent < length; sent += chunk.Length)
            body.Append(CultureInfo.InvariantCulture, $"{chunk.Length:x}\r\n{chunk}\r\n");
        Assert.Equal(status, Status(await SendAsync(Head($"POST {path}", $"Content-Type: {type}", "Transfer-Encoding: chunked", "Connection: close") + body + "0\r\n\r\n")));
    }

    [Theory]
    [InlineData("POST /api/2.0/mlflow/runs/log-batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")]
    [InlineData("POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n")]
    [InlineData("POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx")]
    [InlineData("GARBAGE\r\n\r\n")]
    [InlineData("GET /\0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")]
    public async Task WhatIsNoHttp_IsRefused(string request)
    {
        await using var stream = await ConnectAsync();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request));
        Assert.InRange(Status(await RestAsync(stream)), 400, 499);
    }

    /// <summary>One that sends a byte now and then would hold a connection for hours.</summary>
    [Fact]
    public async Task HeadThatNeverEnds_IsCutOff()
    {
        var clock = Stopwatch.StartNew();
        await using var stream = await ConnectAsync();
        await stream.WriteAsync(Encoding.Latin1.GetBytes("POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "));
        Assert.Equal(408, Status(await RestAsync(stream)));
        Assert.InRange(clock.Elapsed.TotalSeconds, 0.5, 25);
    }

    [Fact]
    public async Task BodyThatTrickles_IsCutOff_AndStoresNothing()
    {
        var clock = Stopwatch.StartNew();
        await using var stream = await ConnectAsync();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(Head("POST /api/2.0/mlflow/experiments/create", "Content-Type: application/json", "Content-Length: 5000") + "{\"name\":\"trickles\","));
        Assert.InRange(Status(await RestAsync(stream)), 0, 499);
        Assert.InRange(clock.Elapsed.TotalSeconds, 0.5, 25);
        Assert.Equal(404, Status(await SendAsync(Head("GET /api/2.0/mlflow/experiments/get-by-name?experiment_name=trickles", "Connection: close"))));
    }
}
