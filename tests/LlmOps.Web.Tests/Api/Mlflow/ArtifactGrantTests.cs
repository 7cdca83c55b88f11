using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Identity;
using LlmOps.TestKit;
using LlmOps.Web.Api.Mlflow;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;

namespace LlmOps.Web.Tests.Api.Mlflow;

/// <summary>Addresses that are their own permission: what they are good for, and that they are good for nothing else.</summary>
public sealed class ArtifactGrantTests(WebProduct product)
{
    private const string Proxy = "/api/2.0/mlflow-artifacts/artifacts", Up = "/mlflow/artifacts/presigned-upload-url", Down = "/mlflow/artifacts/presigned-download-url";

    private static byte[] Bytes(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string url, byte[]? bytes = null, RangeHeaderValue? range = null)
    {
        using var stranger = product.Visitor();
        using var request = new HttpRequestMessage(method, url) { Content = bytes is null ? null : new ByteArrayContent(bytes) };
        request.Headers.Range = range;
        return await stranger.SendAsync(request);
    }

    private async Task EnsureRefusedAsync(HttpMethod method, string url)
    {
        using var answer = await SendAsync(method, url, method == HttpMethod.Put ? [1] : null);
        Assert.True(answer.StatusCode == HttpStatusCode.Forbidden && (await answer.Content.ReadAsStringAsync()).Contains("\"error_code\":\"PERMISSION_DENIED\"", StringComparison.Ordinal), $"{method} {url}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
    }

    [Fact]
    public async Task AFile_GoesUpAndDown_ByAddressesAlone()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var experiment = await client.ExperimentAsync();
        var run = await client.RunAsync(experiment);
        var bytes = Bytes(1_000_003);
        var up = await client.PostAsync(Up, new { run_id = run, path = "model/weights 100%.bin", expiration = "60" });
        Assert.Equal("{}", up["headers"]!.ToJsonString());
        using (var put = await SendAsync(HttpMethod.Put, (string)up["presigned_url"]!, bytes))
            Assert.Equal("{}", await put.Content.ReadAsStringAsync());
        Assert.Equal(bytes, await client.Http.GetByteArrayAsync(new Uri($"{Proxy}/{experiment}/{run}/artifacts/model/weights%20100%25.bin", UriKind.Relative)));

        var down = await client.PostAsync(Down, new { run_id = run, path = "model/weights 100%.bin" });
        Assert.Equal(1_000_003, (long)down["file_size"]!);
        var proxied = await client.GetAsync($"/mlflow-artifacts/presigned/{experiment}/{run}/artifacts/model/weights%20100%25.bin");
        Assert.Equal(("{}", 1_000_003), (proxied["headers"]!.ToJsonString(), (long)proxied["file_size"]!));
        foreach (var url in new[] { (string)down["presigned_url"]!, (string)proxied["url"]! })
        {
            using var whole = await SendAsync(HttpMethod.Get, url);
            Assert.Equal(bytes, await whole.Content.ReadAsByteArrayAsync());
            Assert.Equal("attachment", whole.Content.Headers.ContentDisposition!.DispositionType);
            using var part = await SendAsync(HttpMethod.Get, url, range: new(500_000, 500_099));
            Assert.Equal(HttpStatusCode.PartialContent, part.StatusCode);
            Assert.Equal(bytes[500_000..500_100], await part.Content.ReadAsByteArrayAsync());
            using var beyond = await SendAsync(HttpMethod.Get, url, range: new(1_000_003, null));
            Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, beyond.StatusCode);
            await EnsureRefusedAsync(HttpMethod.Put, url);
        }
        await EnsureRefusedAsync(HttpMethod.Get, (string)up["presigned_url"]!);
    }

    [Fact]
    public async Task ALoggedModel_HasAddresses_Too()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var model = (string)(await client.PostAsync("/mlflow/logged-models", new { experiment_id = await client.ExperimentAsync(), name = "m" }))["model"]!["info"]!["model_id"]!;
        var up = await client.PostAsync(Up, new { model_id = model, path = "MLmodel" });
        using var put = await SendAsync(HttpMethod.Put, (string)up["presigned_url"]!, [1, 2, 3]);
        Assert.Equal(HttpStatusCode.OK, put.StatusCode);
        Assert.Equal(3, (long)(await client.PostAsync(Down, new { model_id = model, path = "MLmodel" }))["file_size"]!);
    }

    [Fact]
    public async Task AnAddress_IsGood_ForItsOwnPathAndUse_AndUnchanged()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var experiment = await client.ExperimentAsync();
        var run = await client.RunAsync(experiment);
        foreach (var name in new[] { "one.bin", "two.bin" })
            using (var put = await client.Http.PutAsync(new Uri($"{Proxy}/{experiment}/{run}/artifacts/{name}", UriKind.Relative), new ByteArrayContent(Bytes(10))))
                Assert.Equal(HttpStatusCode.OK, put.StatusCode);
        var up = (string)(await client.PostAsync(Up, new { run_id = run, path = "one.bin" }))["presigned_url"]!;
        var down = (string)(await client.PostAsync(Down, new { run_id = run, path = "one.bin" }))["presigned_url"]!;
        var upload = await client.PostAsync($"/mlflow-artifacts/mpu/create/{experiment}/{run}/artifacts", new { path = "one.bin", num_parts = 2 });
        var part = (string)upload["credentials"]![0]!["url"]!;
        foreach (var (method, url) in new[] { (HttpMethod.Put, up), (HttpMethod.Get, down), (HttpMethod.Put, part) })
        {
            var start = url.IndexOf("grant=", StringComparison.Ordinal) + 6;
            var sealedText = url[start..];
            await EnsureRefusedAsync(method, url.Replace("one.bin", "two.bin", StringComparison.Ordinal));
            await EnsureRefusedAsync(method, url.Replace("one.bin", "one.bin/deeper", StringComparison.Ordinal));
            await EnsureRefusedAsync(method, url.Replace("one.bin", "%252e%252e/one.bin", StringComparison.Ordinal));
            await EnsureRefusedAsync(method, url[..(start - 7)]);
            foreach (var bent in new[] { "", "x", "%00", sealedText[..^1], sealedText + "A", sealedText[1..], new string('A', 200), new string('A', 20_000)[..7000], "CfDJ8" + sealedText })
                await EnsureRefusedAsync(method, url[..start] + bent);
            for (var at = 0; at < sealedText.Length; at += 23)
                await EnsureRefusedAsync(method, url[..(start + at)] + (sealedText[at] == 'A' ? 'B' : 'A') + sealedText[(at + 1)..]);
        }
        // no grant of one kind opens the door of another
        await EnsureRefusedAsync(HttpMethod.Get, part);
        await EnsureRefusedAsync(HttpMethod.Put, down);
        // and a text that the same keys sealed for something else is none
        var other = product.Get<IDataProtectionProvider>().CreateProtector("LlmOps.Webhooks.v1").Protect($$"""{"use":"Download","path":"{{experiment}}/{{run}}/artifacts/one.bin","part":0,"until":9999999999999}""");
        await EnsureRefusedAsync(HttpMethod.Get, down[..(down.IndexOf("grant=", StringComparison.Ordinal) + 6)] + other);
        Assert.Equal(Bytes(10), await client.Http.GetByteArrayAsync(new Uri($"{Proxy}/{experiment}/{run}/artifacts/two.bin", UriKind.Relative)));
    }

    [Fact]
    public void AnAddress_EndsWithItsTime()
    {
        var clock = new TestClock();
        var grants = new ArtifactGrants(new EphemeralDataProtectionProvider(), clock);
        var http = new DefaultHttpContext();
        (http.Request.Scheme, http.Request.Host) = ("https", new HostString("models.example", 8443));
        var address = new Uri(grants.AddressOf(GrantedUse.Download, ArtifactPath.ParseFile("1/2/artifacts/ä b%2f#1.bin"), TimeSpan.FromSeconds(60), http.Request));
        Assert.Equal("https://models.example:8443/api/2.0/mlflow-artifacts/granted/1/2/artifacts/%C3%A4%20b%252f%231.bin", address.GetLeftPart(UriPartial.Path));
        http.Request.QueryString = new QueryString(address.Query);
        clock.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal(GrantedUse.Download, grants.Read(http.Request, "1/2/artifacts/ä b%2f#1.bin").Use);
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Contains("time of this address is over", Assert.Throws<LlmOps.Lifecycle.LlmOpsException>(() => grants.Read(http.Request, "1/2/artifacts/ä b%2f#1.bin")).Message, StringComparison.Ordinal);
        // another installation has other keys
        Assert.Throws<LlmOps.Lifecycle.LlmOpsException>(() => new ArtifactGrants(new EphemeralDataProtectionProvider(), new TestClock()).Read(http.Request, "1/2/artifacts/ä b%2f#1.bin"));
    }

    [Fact]
    public async Task WrongQuestions_GetNoAddress()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var run = await client.RunAsync();
        var model = (string)(await client.PostAsync("/mlflow/logged-models", new { experiment_id = await client.ExperimentAsync(), name = "m" }))["model"]!["info"]!["model_id"]!;
        foreach (var address in new[] { Up, Down })
        {
            foreach (var body in new object[] { new { run_id = run }, new { path = "x" }, new { run_id = run, model_id = model, path = "x" }, "[]", """{"run_id":5,"path":{}}""" })
                await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", address, body);
            foreach (var expiration in new object[] { 0, -1, 86_401, long.MaxValue, "soon", 1.5 })
                await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", address, new { run_id = run, path = "x", expiration });
            foreach (var path in new[] { "..", "a/../../x", "/etc/passwd", "%2e%2e/x", "%252e%252e%252fx", "a\\b", "C:/x", "a\0", "．．/x" })
                await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", address, new { run_id = run, path });
            await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "POST", address, new { run_id = new string('0', 32), path = "x" });
        }
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "POST", Down, new { run_id = run, path = "not-there" });
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "GET", "/mlflow-artifacts/presigned/1/2/artifacts/not-there");
        foreach (var path in new[] { "..%2f..%2fetc%2fpasswd", "%252e%252e/x", "a//b", "" })
        {
            using var answer = await client.SendAsync(HttpMethod.Get, $"/mlflow-artifacts/presigned/{path}");
            Assert.True((int)answer.StatusCode is >= 400 and < 500, $"{path}: {(int)answer.StatusCode}");
        }
    }

    [Fact]
    public async Task Readers_GetAddressesForReading_Only()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var run = await client.RunAsync();
        var up = (string)(await client.PostAsync(Up, new { run_id = run, path = "x" }))["presigned_url"]!;
        using (var put = await SendAsync(HttpMethod.Put, up, [7]))
            Assert.Equal(HttpStatusCode.OK, put.StatusCode);
        using var viewer = new MlflowClient(await product.ProgramAsync(Roles.Viewer));
        await viewer.RefusedAsync(HttpStatusCode.Forbidden, "PERMISSION_DENIED", "POST", Up, new { run_id = run, path = "x" });
        using var read = await SendAsync(HttpMethod.Get, (string)(await viewer.PostAsync(Down, new { run_id = run, path = "x" }))["presigned_url"]!);
        Assert.Equal([7], await read.Content.ReadAsByteArrayAsync());
    }
}
