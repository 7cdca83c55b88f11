using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Identity;
using LlmOps.TestKit;

namespace LlmOps.Web.Tests.Api.Mlflow;

/// <summary>Large files in parts, as clients send them: the parts go to their own addresses without a token, and what the answers' ETag says is sent back at the end.</summary>
public sealed class PartedUploadTests(WebProduct product)
{
    private const string Proxy = "/api/2.0/mlflow-artifacts/artifacts", Steps = "/mlflow-artifacts/mpu";

    private sealed record Upload(MlflowClient Client, string Folder, string LocalFile, string Id, List<JsonObject> Credentials)
    {
        public string Name => LocalFile.Split('/', '\\')[^1];

        public object Completion(params object[] parts) => new { path = LocalFile, upload_id = Id, parts };
    }

    private static async Task<Upload> BeginAsync(MlflowClient client, int parts, string localFile = "/home/alice/model.bin")
    {
        var experiment = await client.ExperimentAsync();
        var folder = $"{experiment}/{await client.RunAsync(experiment)}/artifacts/model";
        var made = await client.PostAsync($"{Steps}/create/{folder}", new { path = localFile, num_parts = parts });
        return new(client, folder, localFile, (string)made["upload_id"]!, [.. made["credentials"]!.AsArray().Select(c => c!.AsObject())]);
    }

    /// <summary>With exactly the headers of the credential, as clients do.</summary>
    private async Task<HttpResponseMessage> PutAsync(string url, byte[] bytes, JsonObject? headers = null)
    {
        using var stranger = product.Visitor();
        using var request = new HttpRequestMessage(HttpMethod.Put, url) { Content = new ByteArrayContent(bytes) };
        foreach (var (name, value) in headers ?? [])
            request.Headers.Add(name, (string)value!);
        return await stranger.SendAsync(request);
    }

    private async Task<string> PutPartAsync(Upload upload, int part, byte[] bytes)
    {
        var credential = upload.Credentials[part - 1];
        Assert.Equal(part, (int)credential["part_number"]!);
        using var put = await PutAsync((string)credential["url"]!, bytes, credential["headers"]!.AsObject());
        Assert.True(put.StatusCode == HttpStatusCode.OK, await put.Content.ReadAsStringAsync());
        return put.Headers.ETag!.Tag;
    }

    private static byte[] Bytes(int seed, int length)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static object Part(int number, string etag) => new { part_number = number, etag, url = "http://elsewhere/" };

    private async Task<long> StoredAsync(Upload upload)
    {
        using var answer = await upload.Client.SendAsync(HttpMethod.Get, $"{Proxy}?path={upload.Folder}");
        return JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["files"]!.AsArray().Sum(f => (long)f!["file_size"]!);
    }

    private string[] Left(Upload upload) => Directory.Exists(FolderOf(upload)) ? [.. Directory.EnumerateFiles(FolderOf(upload)).Select(Path.GetFileName).Order(StringComparer.Ordinal)!] : [];

    private string FolderOf(Upload upload) => Path.Combine(product.Folder, "artifacts", "parts", upload.Id);

    [Fact]
    public async Task Parts_SentInAnyOrder_AreTheFile_ByteForByte()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var upload = await BeginAsync(client, 3);
        byte[][] parts = [Bytes(1, 700_001), Bytes(2, 700_001), Bytes(3, 12)];
        var etags = new string[3];
        await Parallel.ForEachAsync(new[] { 3, 1, 2 }, async (n, _) => etags[n - 1] = await PutPartAsync(upload, n, parts[n - 1]));
        Assert.Equal(parts.Select(p => $"\"{Convert.ToHexStringLower(SHA256.HashData(p))}\""), etags);
        // nothing of it can be seen before the end
        Assert.Equal(0, await StoredAsync(upload));
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "GET", $"{Proxy}/{upload.Folder}/model.bin");

        var completion = upload.Completion(Part(1, etags[0]), Part(2, etags[1].Trim('"')), Part(3, etags[2]));
        Assert.Equal("{}", (await client.PostAsync($"{Steps}/complete/{upload.Folder}", completion)).ToJsonString());
        var whole = parts.SelectMany(p => p).ToArray();
        var read = await client.Http.GetByteArrayAsync(new Uri($"{Proxy}/{upload.Folder}/model.bin", UriKind.Relative));
        Assert.Equal(1_400_014, read.Length);
        Assert.Equal(SHA256.HashData(whole), SHA256.HashData(read));
        Assert.Equal(1_400_014, await StoredAsync(upload));

        // the same call again is the same answer; another one about the same upload is not
        Assert.Equal("{}", (await client.PostAsync($"{Steps}/complete/{upload.Folder}", completion)).ToJsonString());
        await client.RefusedAsync(HttpStatusCode.Conflict, "RESOURCE_CONFLICT", "POST", $"{Steps}/complete/{upload.Folder}", upload.Completion(Part(1, etags[1]), Part(2, etags[0]), Part(3, etags[2])));
        await client.RefusedAsync(HttpStatusCode.Conflict, "RESOURCE_CONFLICT", "POST", $"{Steps}/abort/{upload.Folder}", upload.Completion());
        using var late = await PutAsync((string)upload.Credentials[0]["url"]!, [1]);
        Assert.Equal(HttpStatusCode.Conflict, late.StatusCode);
        Assert.Equal(["joined", "turn", "upload.json"], Left(upload));
        Assert.Equal(SHA256.HashData(whole), SHA256.HashData(await client.Http.GetByteArrayAsync(new Uri($"{Proxy}/{upload.Folder}/model.bin", UriKind.Relative))));
    }

    [Fact]
    public async Task APart_SentTwice_IsTheOneThatTheEndNames()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var upload = await BeginAsync(client, 2, @"C:\models\two parts.bin");
        var (first, again, second) = (Bytes(4, 1000), Bytes(5, 2000), Bytes(6, 0));
        await PutPartAsync(upload, 1, first);
        var (meant, last) = (await PutPartAsync(upload, 1, again), await PutPartAsync(upload, 2, second));
        await client.PostAsync($"{Steps}/complete/{upload.Folder}", upload.Completion(Part(1, meant), Part(2, last)));
        Assert.Equal(again, await client.Http.GetByteArrayAsync(new Uri($"{Proxy}/{upload.Folder}/two%20parts.bin", UriKind.Relative)));
    }

    [Fact]
    public async Task ManyCompletions_AtTheSameMoment_AreOne()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var upload = await BeginAsync(client, 2);
        var completion = upload.Completion(Part(1, await PutPartAsync(upload, 1, Bytes(7, 300_000))), Part(2, await PutPartAsync(upload, 2, Bytes(8, 300_000))));
        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => client.PostAsync($"{Steps}/complete/{upload.Folder}", completion)));
        Assert.All(answers, a => Assert.Equal("{}", a.ToJsonString()));
        Assert.Equal(600_000, await StoredAsync(upload));
    }

    [Fact]
    public async Task WrongEnds_AreRefused_AndLeaveEverythingAsItWas()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var upload = await BeginAsync(client, 2);
        var (one, two) = (await PutPartAsync(upload, 1, Bytes(9, 100)), await PutPartAsync(upload, 2, Bytes(10, 100)));
        var complete = $"{Steps}/complete/{upload.Folder}";
        foreach (var (parts, says) in new (object[], string)[]
        {
            ([], "Part 1 of 2 is missing"), ([Part(1, one)], "Part 2 of 2 is missing"), ([Part(2, two), Part(1, one)], "in their order"), ([Part(1, one), Part(1, one)], "in their order"),
            ([Part(1, one), Part(2, two), Part(3, one)], "in their order"), ([Part(1, two), Part(2, one)], "Part 1 was not sent"), ([Part(1, one), Part(2, new string('0', 64))], "Part 2 was not sent"),
            ([Part(1, one), Part(2, "../../../../etc/passwd")], "Part 2 was not sent"), ([Part(1, one), Part(2, "")], "'etag'"), ([Part(0, one), Part(2, two)], "'part_number'"), ([Part(1, one), Part(10_001, two)], "'part_number'"), ([Part(1, one), null!], "'parts'"),
        })
            Assert.Contains(says, await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", complete, upload.Completion(parts)), StringComparison.Ordinal);
        object[] right = [Part(1, one), Part(2, two)];
        foreach (var id in new[] { new string('0', 32), "..", "../" + upload.Id, upload.Id + "/", upload.Id.ToUpperInvariant() + " ", new string('x', 100_000), "\0" })
            await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "POST", complete, new { path = upload.LocalFile, upload_id = id, parts = right });
        // the upload of one path completes no other one
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "POST", complete, new { path = "other.bin", upload_id = upload.Id, parts = right });
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "POST", $"{Steps}/abort/{upload.Folder}/deeper", new { path = upload.LocalFile, upload_id = upload.Id });
        await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", complete, new { path = upload.LocalFile, upload_id = upload.Id, parts = "all" });
        await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", complete, new { path = upload.LocalFile });
        Assert.Equal(0, await StoredAsync(upload));
        Assert.Equal(4, Left(upload).Length);
        await client.PostAsync(complete, upload.Completion(right));
        Assert.Equal(200, await StoredAsync(upload));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("10001")]
    [InlineData("9223372036854775807")]
    [InlineData("99999999999999999999")]
    [InlineData("\"many\"")]
    [InlineData("1.5")]
    public async Task Begin_TakesOneToTenThousandParts(string parts)
    {
        using var client = await MlflowClient.EngineerAsync(product);
        await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", $"{Steps}/create/1/2/artifacts", $$"""{"path":"x","num_parts":{{parts}}}""");
    }

    [Fact]
    public async Task Begin_ManyParts_GivesEachAnAddressOfItsOwn()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var upload = await BeginAsync(client, 10_000);
        Assert.Equal(Enumerable.Range(1, 10_000), upload.Credentials.Select(c => (int)c["part_number"]!));
        Assert.Equal(10_000, upload.Credentials.Select(c => (string)c["url"]!).Distinct().Count());
        await client.PostAsync($"{Steps}/abort/{upload.Folder}", upload.Completion());
    }

    [Fact]
    public async Task Abort_DeletesTheParts_AndEndsTheirAddresses()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var upload = await BeginAsync(client, 2);
        var etag = await PutPartAsync(upload, 1, Bytes(11, 5000));
        Assert.Equal("{}", (await client.PostAsync($"{Steps}/abort/{upload.Folder}", new { path = upload.LocalFile, upload_id = upload.Id })).ToJsonString());
        Assert.False(Directory.Exists(FolderOf(upload)));
        using var late = await PutAsync((string)upload.Credentials[1]["url"]!, [1]);
        Assert.Equal(HttpStatusCode.NotFound, late.StatusCode);
        Assert.Contains("RESOURCE_DOES_NOT_EXIST", await late.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "POST", $"{Steps}/complete/{upload.Folder}", upload.Completion(Part(1, etag), Part(2, etag)));
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "POST", $"{Steps}/abort/{upload.Folder}", upload.Completion());
        Assert.Equal(0, await StoredAsync(upload));
    }

    /// <summary>The body's path is one of the client's machine, of which only the name counts; the address's path is held to the rules of every artifact.</summary>
    [Fact]
    public async Task Paths_ThatLeadElsewhere_BeginNothing()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var before = Directory.GetDirectories(Path.Combine(product.Folder, "artifacts", "parts")).Length;
        foreach (var name in new[] { "..", "a/..", "a\\..", "%2e%2e", "%252e%252e", "..%2fx", "..%5cx", "a/", "a\\", ".", "...", "．．", "a\0b", "a\nb", new string('a', 1001), "" })
            await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", $"{Steps}/create/1/2/artifacts", new { path = name, num_parts = 1 });
        foreach (var folder in new[] { "%2e%2e/x", "..%2f..%2fetc", "%252e%252e%252fetc", "..%5c..%5cwindows", "a//b", "a/%20/b", "c:/x" })
        {
            using var answer = await client.SendAsync(HttpMethod.Post, $"{Steps}/create/{folder}", """{"path":"x","num_parts":1}""");
            Assert.True((int)answer.StatusCode is >= 400 and < 500, $"{folder}: {(int)answer.StatusCode}");
        }
        await client.RefusedAsync(HttpStatusCode.Forbidden, "PERMISSION_DENIED", "POST", $"{Steps}/create/model-versions/m/1", new { path = "x", num_parts = 1 });
        Assert.Contains("Multipart upload is not supported for the current artifact repository", await client.RefusedAsync(HttpStatusCode.NotImplemented, "NOT_IMPLEMENTED", "POST", $"{Steps}/create/0/traces/tr-00000000000000000000000000000001/artifacts", new { path = "traces.json", num_parts = 1 }), StringComparison.Ordinal);
        Assert.Equal(before, Directory.GetDirectories(Path.Combine(product.Folder, "artifacts", "parts")).Length);
    }

    [Fact]
    public async Task ABodyThatBreaksOff_IsNoPart()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var upload = await BeginAsync(client, 1);
        using var stranger = product.Visitor();
        using var cut = new CancellationTokenSource();
        var sending = stranger.PutAsync(new Uri((string)upload.Credentials[0]["url"]!), new StreamContent(new SlowStream(200_000)), cut.Token);
        await Eventually.ReadAsync(() => Task.FromResult(Left(upload)), left => left.Length == 3);
        await cut.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
        Assert.Equal(["turn", "upload.json"], await Eventually.ReadAsync(() => Task.FromResult(Left(upload)), left => left.Length == 2));
    }

    [Fact]
    public async Task OldUploads_AreDeleted_AndYoungOnesStay()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var (old, young) = (await BeginAsync(client, 1), await BeginAsync(client, 1));
        await PutPartAsync(old, 1, Bytes(12, 4000));
        var etag = await PutPartAsync(young, 1, Bytes(13, 4000));
        var record = Path.Combine(FolderOf(old), "upload.json");
        var begun = (long)JsonNode.Parse(await File.ReadAllTextAsync(record))!["at"]!;
        await File.WriteAllTextAsync(record, (await File.ReadAllTextAsync(record)).Replace(begun.ToString(CultureInfo.InvariantCulture), (begun - 86_460_000).ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
        var leftover = Path.Combine(product.Folder, "artifacts", "incoming", "leftover");
        await File.WriteAllTextAsync(leftover, "half of a file");
        File.SetLastWriteTimeUtc(leftover, DateTime.UtcNow.AddHours(-25));
        using var tooLate = await PutAsync((string)old.Credentials[0]["url"]!, [1]);
        Assert.Equal(HttpStatusCode.NotFound, tooLate.StatusCode);
        await product.Get<UploadInParts>().DeleteOldAsync();
        Assert.False(Directory.Exists(FolderOf(old)));
        Assert.False(File.Exists(leftover));
        await client.PostAsync($"{Steps}/complete/{young.Folder}", young.Completion(Part(1, etag)));
        Assert.Equal(4000, await StoredAsync(young));
    }

    [Fact]
    public async Task Steps_NeedTheirPermission()
    {
        using var viewer = new MlflowClient(await product.ProgramAsync(Roles.Viewer));
        foreach (var step in new[] { "create", "complete", "abort" })
            await viewer.RefusedAsync(HttpStatusCode.Forbidden, "PERMISSION_DENIED", "POST", $"{Steps}/{step}/1/2/artifacts", new { path = "x", num_parts = 1, upload_id = "x" });
    }

    /// <summary>Comes to no end by itself.</summary>
    private sealed class SlowStream(int after) : MemoryStream(new byte[after])
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
}
