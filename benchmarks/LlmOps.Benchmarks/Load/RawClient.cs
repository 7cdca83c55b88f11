using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LlmOps.Benchmarks.Load;

/// <summary>One keep-alive connection that costs next to nothing, because the client has the same cores as the server: the request is bytes that were made before, the answer is looked at only for its status and its length.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] buffer = new byte[256 << 10];

    public RawClient(Uri address) => socket.Connect(IPAddress.Loopback, address.Port);

    /// <summary>The bytes in front of a body.</summary>
    public static byte[] Head(string path, string token, string type, int length, string? packing = null) => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
        $"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nContent-Type: {type}\r\n{(packing is null ? "" : $"Content-Encoding: {packing}\r\n")}Content-Length: {length}\r\n\r\n"));

    /// <summary>Sends it and waits for the whole answer.</summary>
    /// <returns>The answer's status and how many bytes its body has, chunk lines included.</returns>
    public (int Status, int Length) Send(ReadOnlySpan<byte> head, ReadOnlySpan<byte> body)
    {
        socket.Send(head);
        for (var rest = body; rest.Length > 0;)
            rest = rest[socket.Send(rest)..];
        return Receive();
    }

    private (int Status, int Length) Receive()
    {
        var (have, end) = (0, -1);
        while (end < 0)
        {
            have += Read(have);
            end = buffer.AsSpan(0, have).IndexOf("\r\n\r\n"u8);
        }
        var head = buffer.AsSpan(0, end);
        var status = (head[9] - '0') * 100 + (head[10] - '0') * 10 + head[11] - '0';
        var begin = end + 4;
        var at = head.IndexOf("Content-Length: "u8);
        if (at >= 0)
        {
            var digits = head[(at + 16)..];
            var length = int.Parse(digits[..(digits.IndexOf((byte)'\r') is var line && line < 0 ? digits.Length : line)], CultureInfo.InvariantCulture);
            for (var got = have - begin; got < length;)
                got += Read(0);
            return (status, length);
        }
        // Chunks: the end is told by the last five bytes.
        var (total, tail) = (have - begin, buffer.AsSpan(begin, have - begin).ToArray());
        while (!tail.AsSpan().EndsWith("0\r\n\r\n"u8))
        {
            var read = Read(0);
            total += read;
            tail = [.. tail.AsSpan(Math.Max(0, tail.Length - 5)), .. buffer.AsSpan(Math.Max(0, read - 16), Math.Min(read, 16))];
        }
        return (status, total);
    }

    private int Read(int at)
    {
        var read = socket.Receive(buffer.AsSpan(at));
        return read > 0 ? read : throw new IOException("The server closed the connection.");
    }

    public void Dispose() => socket.Dispose();
}
