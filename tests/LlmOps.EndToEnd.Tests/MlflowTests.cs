using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.EndToEnd.Tests;

/// <summary>The MLflow API of the real program: with a client as published, and killed while it is written to.</summary>
public sealed class MlflowTests
{
    private static Dictionary<string, string> Settings(string data) => new() { ["Data__Folder"] = data, ["Worker__Embedded"] = "false", ["Logging__LogLevel__Default"] = "Warning" };

    private static async Task<string> TokenAsync(WebProcess web)
    {
        await web.SetUpAdministratorAsync();
        using var made = await web.Client.PostAsJsonAsync("/api/v1/tokens", new { name = "mlflow", scopes = new[] { "Read", "RunPipelines", "WriteModels" } });
        return (string)(await made.Content.ReadFromJsonAsync<JsonNode>())!["secret"]!;
    }

    [Fact]
    public async Task NpmClient_LogsSearchesAndReadsBack_Unchanged()
    {
        using var data = new TemporaryFolder();
        await using var web = await WebProcess.StartAsync(Settings(data.Path));
        var written = await NpmClient.RunAsync("mlflow", "journey.mjs", web.Address.ToString().TrimEnd('/'), await TokenAsync(web));
        var run = Guid.Parse(written.Trim().Split(' ')[1]);
        // what the client logged is on the page of the run
        Assert.Contains("renamed from npm", await web.Client.GetStringAsync($"/runs/{run}"), StringComparison.Ordinal);
    }

    /// <summary>A file in parts: the server is killed while a part is on its way. What was acknowledged can be completed with the addresses from before; nothing of the file was there in between.</summary>
    [Fact]
    public async Task KilledServer_KeepsTheParts_AndShowsNoHalfFile()
    {
        const int PartBytes = 3_000_000;
        using var data = new TemporaryFolder();
        var web = await WebProcess.StartAsync(Settings(data.Path));
        try
        {
            var token = await TokenAsync(web);
            var bytes = new byte[3 * PartBytes];
            new Random(7).NextBytes(bytes);
            byte[] Part(int n) => bytes[((n - 1) * PartBytes)..(n * PartBytes)];
            const string Folder = "0/files/artifacts/model", Listing = $"/api/2.0/mlflow-artifacts/artifacts?path={Folder}";
            using var first = Program(web.Address, token);
            var upload = await AskAsync(first, $"/api/2.0/mlflow-artifacts/mpu/create/{Folder}", new { path = "/models/big.bin", num_parts = 3 });
            var addresses = upload["credentials"]!.AsArray().Select(c => new Uri((string)c!["url"]!)).ToList();
            List<string> etags = [await PutPartAsync(addresses[0], Part(1)), await PutPartAsync(addresses[1], Part(2))];
            using (var stranger = new HttpClient())
            using (var cut = new CancellationTokenSource())
            {
                var parts = Path.Combine(data.Path, "artifacts", "parts", (string)upload["upload_id"]!);
                var sending = stranger.PutAsync(addresses[2], new StreamContent(new EndlessBytes(PartBytes / 2)), cut.Token);
                await web.Process.UntilAsync(() => Task.FromResult(Directory.GetFiles(parts).Length == 5), TimeSpan.FromSeconds(30));
                await web.Process.KillAsync();
                await cut.CancelAsync();
                await Assert.ThrowsAnyAsync<Exception>(() => sending);
            }
            await web.DisposeAsync();
            web = await WebProcess.StartAsync(Settings(data.Path));
            using var second = Program(web.Address, token);
            Assert.Equal("""{"files":[]}""", await second.GetStringAsync(Listing));
            Uri Moved(Uri address) => new(web.Address, address.PathAndQuery);
            object Completion() => new { path = "/models/big.bin", upload_id = (string)upload["upload_id"]!, parts = etags.Select((etag, i) => new { part_number = i + 1, etag }) };
            using (var early = await second.PostAsJsonAsync($"/api/2.0/mlflow-artifacts/mpu/complete/{Folder}", Completion()))
                Assert.Contains("Part 3 of 3 is missing", await early.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            etags.Add(await PutPartAsync(Moved(addresses[2]), Part(3)));
            for (var i = 0; i < 2; i++)
                Assert.Equal("{}", (await AskAsync(second, $"/api/2.0/mlflow-artifacts/mpu/complete/{Folder}", Completion())).ToJsonString());
            Assert.Equal($$"""{"files":[{"path":"big.bin","is_dir":false,"file_size":{{3 * PartBytes}}}]}""", await second.GetStringAsync(Listing));
            Assert.Equal(SHA256.HashData(bytes), SHA256.HashData(await second.GetByteArrayAsync($"/api/2.0/mlflow-artifacts/artifacts/{Folder}/big.bin")));
        }
        finally
        {
            await web.DisposeAsync();
        }
    }

    private static async Task<JsonNode> AskAsync(HttpClient client, string path, object body)
    {
        using var answer = await client.PostAsJsonAsync(path, body);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.OK, text);
        return JsonNode.Parse(text)!;
    }

    /// <summary>Without a token, as clients send parts.</summary>
    private static async Task<string> PutPartAsync(Uri address, byte[] bytes)
    {
        using var stranger = new HttpClient();
        using var answer = await stranger.PutAsync(address, new ByteArrayContent(bytes));
        Assert.True(answer.StatusCode == HttpStatusCode.OK, await answer.Content.ReadAsStringAsync());
        return answer.Headers.ETag!.Tag;
    }

    /// <summary>Some bytes, and then nothing for ever.</summary>
    private sealed class EndlessBytes(int count) : MemoryStream(new byte[count])
    {
        public override bool CanSeek => false;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await base.ReadAsync(buffer, cancellationToken);
            if (read == 0)
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
            return read;
        }
    }

    /// <summary>Eight clients send 1,000 batches, each until it is acknowledged; the server is killed twice meanwhile. Then every batch is there, whole and once.</summary>
    [Fact]
    public async Task KilledServer_HasEveryAcknowledgedBatch_Once()
    {
        const int Batches = 1000, Clients = 8, Points = 20;
        using var data = new TemporaryFolder();
        var web = await WebProcess.StartAsync(Settings(data.Path));
        try
        {
            var token = await TokenAsync(web);
            using var setup = Program(web.Address, token);
            using var experiment = await setup.PostAsJsonAsync("/api/2.0/mlflow/experiments/create", new { name = "killed" });
            var experimentId = (string)(await experiment.Content.ReadFromJsonAsync<JsonNode>())!["experiment_id"]!;
            using var created = await setup.PostAsJsonAsync("/api/2.0/mlflow/runs/create", new { experiment_id = experimentId });
            var run = (string)(await created.Content.ReadFromJsonAsync<JsonNode>())!["run"]!["info"]!["run_id"]!;

            var (todo, acknowledged) = (new ConcurrentQueue<int>(Enumerable.Range(0, Batches)), new ConcurrentBag<int>());
            var (kills, repeated) = (0, 0);
            async Task SendAsync(Uri address)
            {
                using var client = Program(address, token);
                while (todo.TryDequeue(out var batch))
                {
                    try
                    {
                        using var answer = await client.PostAsJsonAsync("/api/2.0/mlflow/runs/log-batch", Batch(run, batch, Points));
                        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
                        acknowledged.Add(batch);
                    }
                    catch (Exception e) when (e is HttpRequestException or IOException)
                    {
                        // Nobody knows whether it was written: a client sends it again, and so does this one when there is a server again.
                        Interlocked.Increment(ref repeated);
                        todo.Enqueue(batch);
                        return;
                    }
                }
            }
            while (!todo.IsEmpty)
            {
                var senders = Enumerable.Range(0, Clients).Select(_ => SendAsync(web.Address)).ToList();
                if (kills < 2)
                {
                    var before = acknowledged.Count;
                    await web.Process.UntilAsync(() => Task.FromResult(acknowledged.Count >= before + 250), TimeSpan.FromMinutes(1));
                    await web.Process.KillAsync();
                    kills++;
                }
                await Task.WhenAll(senders);
                var known = acknowledged.Count;
                if (kills <= 2 && web.Process.HasExited)
                {
                    await AssertStoredAsync(data.Path, [.. acknowledged], Points, whole: false);
                    Assert.Equal(known, acknowledged.Count);
                    await web.DisposeAsync();
                    web = await WebProcess.StartAsync(Settings(data.Path));
                }
            }
            Assert.Equal(2, kills);
            Assert.True(repeated > 0, "No request was cut off: the test killed at the wrong moment.");
            Assert.Equal(Enumerable.Range(0, Batches), acknowledged.Distinct().Order());
            using var reader = Program(web.Address, token);
            Assert.Contains($"\"step\":{Batches - 1}", await reader.GetStringAsync($"/api/2.0/mlflow/runs/get?run_id={run}"), StringComparison.Ordinal);
            await AssertStoredAsync(data.Path, [.. acknowledged], Points, whole: true);
        }
        finally
        {
            await web.DisposeAsync();
        }
    }

    /// <summary>Three of four have nothing but points, which are acknowledged from the journal.</summary>
    private static bool IsPointsOnly(int batch) => batch % 4 != 0;

    private static object Batch(string run, int batch, int points) => new
    {
        run_id = run,
        metrics = Enumerable.Range(0, points).Select(p => new { key = $"m{p}", value = batch + p / 100.0, timestamp = 1_700_000_000_000 + batch, step = batch }),
        @params = IsPointsOnly(batch) ? [] : new[] { new { key = $"p{batch}", value = $"{batch}" } },
        tags = IsPointsOnly(batch) ? [] : new[] { new { key = $"t{batch % 50}", value = "set" } },
    };

    /// <summary>A batch is there with all of its points and its parameter, or not at all; an acknowledged one is there, in the journal until the next start.</summary>
    private static async Task AssertStoredAsync(string folder, int[] acknowledged, int points, bool whole)
    {
        var options = new DbContextOptionsBuilder<LlmOpsDb>();
        DatabaseSetup.UseSqlite(options, $"Data Source={Path.Combine(folder, "llmops.db")};Pooling=False");
        await using var db = new LlmOpsDb(options.Options);
        var stored = await db.Metrics.AsNoTracking().GroupBy(m => m.Step).Select(g => new { Batch = (int)g.Key, Count = g.Count() }).ToDictionaryAsync(g => g.Batch, g => g.Count);
        var parameters = (await db.Params.AsNoTracking().Select(p => p.Key).ToListAsync()).Select(k => int.Parse(k[1..], System.Globalization.CultureInfo.InvariantCulture)).ToHashSet();
        Assert.All(stored, s => Assert.Equal(points, s.Value));
        Assert.Equal(stored.Keys.Where(b => !IsPointsOnly(b)).Order(), parameters.Order());
        Assert.DoesNotContain(acknowledged.Except(stored.Keys), b => whole || !IsPointsOnly(b));
        if (whole)
        {
            Assert.Equal(acknowledged.Distinct().Order(), stored.Keys.Order());
            var newest = await db.LatestMetrics.AsNoTracking().OrderBy(m => m.Key).FirstAsync();
            Assert.Equal((acknowledged.Max(), (long)acknowledged.Max()), ((int)newest.Value, newest.Step));
        }
    }

    private static HttpClient Program(Uri address, string token)
    {
        var client = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromSeconds(30) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return client;
    }
}
