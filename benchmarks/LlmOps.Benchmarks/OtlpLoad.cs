using System.Diagnostics;
using System.Globalization;
using LlmOps.Benchmarks.Load;
using LlmOps.Lifecycle.Identity;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Benchmarks;

/// <summary>Spans in protobuf over HTTP, as OpenTelemetry's exporters send them: four clients with batches of 512. Build LlmOps.Web in Release first.</summary>
internal static class OtlpLoad
{
    public const string Command = "otlp";
    private const int Clients = 4, Spans = 512, MostTurns = 5, PackedBodies = 24;

    public static async Task RunAsync(string packing, string provider, int seconds)
    {
        await using var product = await TestProduct.CreateAsync(Enum.Parse<DatabaseProvider>(provider, ignoreCase: true));
        await using var server = await LoadServer.StartAsync(product, [Permission.Chat]);
        var (rates, number, sent, body) = (new List<double>(), 0, 0L, new TraceBody(Spans).Bytes.Length);
        for (var turn = 0; turn <= MostTurns; turn++)
        {
            var made = new Queue<byte[]>[Clients];
            if (packing == "gzip")
                // Packing costs more than sending, so it is done before the clock runs; a turn then ends with its bodies.
                Parallel.For(0, Clients, c => { made[c] = new(); var b = new TraceBody(Spans); for (var i = 0; i < PackedBodies * seconds; i++) { b.Put((ulong)Interlocked.Increment(ref number)); made[c].Enqueue(b.Packed()); } });
            var (clock, before, count) = (Stopwatch.StartNew(), server.Work(), 0L);
            var threads = Enumerable.Range(0, Clients).Select(c => new Thread(() =>
            {
                using var client = new RawClient(server.Address);
                var plain = new TraceBody(Spans);
                while (packing == "gzip" ? made[c].Count > 0 : clock.Elapsed.TotalSeconds < seconds)
                {
                    if (packing != "gzip")
                        plain.Put((ulong)Interlocked.Increment(ref number));
                    var bytes = packing == "gzip" ? made[c].Dequeue() : plain.Bytes;
                    var (status, length) = client.Send(RawClient.Head("/v1/traces", server.Token, "application/x-protobuf", bytes.Length, packing == "gzip" ? "gzip" : null), bytes);
                    if (status != 200 || length != 0)
                        throw new InvalidOperationException($"traces: {status}, {length} bytes");
                    Interlocked.Add(ref count, Spans);
                }
            })).ToList();
            threads.ForEach(t => t.Start());
            threads.ForEach(t => t.Join());
            var (elapsed, work) = (clock.Elapsed.TotalSeconds, server.Work() - before);
            sent += count;
            if (turn == 0)
                continue;
            rates.Add(count / elapsed);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{provider} turn {turn}: {rates[^1]:N0} spans/s, {work.For(count / 1000.0, "1,000 spans")}, resident {server.ResidentMiB:f0} MiB"));
        }
        await using var db = product.Open();
        var stored = await db.Spans.LongCountAsync();
        Console.WriteLine($"{provider} otlp {packing}, batches of {Spans} spans ({body / 1024} KiB), {Clients} clients, n = {MostTurns}: {Turns.Text(rates)} spans/s; {stored} of {sent} acknowledged spans are stored");
    }
}
