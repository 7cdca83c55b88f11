using System.Net;
using System.Net.Http.Headers;
using System.Text;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Identity;

namespace LlmOps.Web.Tests.Api.Mlflow;

public sealed class ArtifactTests(WebProduct product)
{
    private const string Proxy = "/api/2.0/mlflow-artifacts/artifacts";

    private static Task<HttpResponseMessage> PutAsync(HttpClient http, string path, byte[] bytes)
    {
        var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = new("application/octet-stream");
        return http.PutAsync(new Uri(path, UriKind.Relative), content);
    }

    [Fact]
    public async Task Files_AreKept_Listed_ReadInRanges_AndDeleted()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var experiment = await client.ExperimentAsync();
        var run = await client.RunAsync(experiment);
        var root = $"{Proxy}/{experiment}/{run}/artifacts";
        var bytes = new byte[3_000_000];
        new Random(1).NextBytes(bytes);
        foreach (var (path, content) in new (string, byte[])[] { ("model/weights.bin", bytes), ("model/MLmodel", Encoding.UTF8.GetBytes("flavors: {}")), ("notes%20%231.txt", Encoding.UTF8.GetBytes("hello")) })
        {
            using var put = await PutAsync(client.Http, $"{root}/{path}", content);
            Assert.Equal("{}", await put.Content.ReadAsStringAsync());
        }
        Assert.Equal(bytes, await client.Http.GetByteArrayAsync(new Uri($"{root}/model/weights.bin", UriKind.Relative)));
        using var ranged = new HttpRequestMessage(HttpMethod.Get, $"{root}/model/weights.bin") { Headers = { Range = new RangeHeaderValue(1_000_000, 1_000_009) } };
        using var part = await client.Http.SendAsync(ranged);
        Assert.Equal(HttpStatusCode.PartialContent, part.StatusCode);
        Assert.Equal(bytes[1_000_000..1_000_010], await part.Content.ReadAsByteArrayAsync());
        Assert.Equal("attachment", part.Content.Headers.ContentDisposition!.DispositionType);
        // a run's list has paths below the run, the proxy's list has paths below the folder
        Assert.Equal($$"""{"root_uri":"mlflow-artifacts:/{{experiment}}/{{run}}/artifacts","files":[{"path":"model","is_dir":true},{"path":"notes #1.txt","is_dir":false,"file_size":5}]}""", (await client.GetAsync($"/mlflow/artifacts/list?run_id={run}")).ToJsonString());
        Assert.Equal("""[{"path":"model/MLmodel","is_dir":false,"file_size":11},{"path":"model/weights.bin","is_dir":false,"file_size":3000000}]""", (await client.GetAsync($"/mlflow/artifacts/list?run_id={run}&path=model"))["files"]!.ToJsonString());
        Assert.Equal("""{"files":[{"path":"MLmodel","is_dir":false,"file_size":11},{"path":"weights.bin","is_dir":false,"file_size":3000000}]}""", (await client.GetAsync($"{Proxy}?path={experiment}/{run}/artifacts/model")).ToJsonString());
        Assert.Equal($$"""{"files":[{"path":"{{run}}","is_dir":true}]}""", (await client.GetAsync($"{Proxy}?path={experiment}")).ToJsonString());
        Assert.Equal("hello", await client.Http.GetStringAsync(new Uri($"/get-artifact?run_uuid={run}&path=notes%20%231.txt", UriKind.Relative)));
        using (var upload = await client.Http.PostAsync(new Uri($"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=small.txt", UriKind.Relative), new StringContent("small")))
            Assert.Equal(HttpStatusCode.OK, upload.StatusCode);
        await client.CallAsync("DELETE", $"{root}/model");
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "GET", $"{root}/model/MLmodel");
    }

    /// <summary>As they would be read after one decoding.</summary>
    public static TheoryData<string> Outside => ["..", "../x", "a/../../x", "a/..", "./a", "a/./b", "/etc/passwd", "//host/x", "a//b", "a\\..\\b", "\\\\host\\x", "C:/x", "c:x", "%2e%2e/x", "%2E%2E%2Fx", "%252e%252e/x", "%25252e%25252e%25252fx", "a/%2e%2e/b", "..%2fx", "..%5cx",
        "%00", "a\0b", "a\nb", "...", ". ./x", "．．/x", "‥/x", "a/ /b", "%c0%ae%c0%ae/x/../y", "\ud800", new string('a', 1001)];

    [Theory]
    [MemberData(nameof(Outside))]
    public void Path_ThatLeadsElsewhere_IsNone(string path)
    {
        Assert.Throws<LlmOps.Lifecycle.LlmOpsException>(() => ArtifactPath.ParseFile(path));
        Assert.Throws<LlmOps.Lifecycle.LlmOpsException>(() => ArtifactPath.Within("1/run/artifacts", path));
    }

    [Theory]
    [InlineData("1/run/artifacts/model/MLmodel", "1/run/artifacts", "model/MLmodel")]
    [InlineData("1/models/m-1/artifacts/a", "1/models/m-1/artifacts", "a")]
    [InlineData("a b/ü 100%.txt", "", "a b/ü 100%.txt")]
    [InlineData("..a/b..c", "", "..a/b..c")]
    public void Path_HasTheFolderOfItsRun(string path, string root, string rest) => Assert.Equal(new(root, rest), ArtifactPath.Parse(path));

    [Fact]
    public void RandomPaths_AreTakenOrRefused_AndNoneLeadsOut()
    {
        var random = new Random(3);
        string[] pieces = ["a", "..", ".", "/", "\\", "%2e", "%2f", "%25", "%", "artifacts", " ", "é", "\0", "C:", "．"];
        var taken = 0;
        for (var i = 0; i < 10_000; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(1, 9)).Select(_ => pieces[random.Next(pieces.Length)]));
            try
            {
                var path = ArtifactPath.ParseFile(text);
                taken++;
                for (var decoded = path.Full; ; decoded = Uri.UnescapeDataString(decoded))
                {
                    Assert.StartsWith("/base/", Path.GetFullPath(Path.Combine("/base", decoded)), StringComparison.Ordinal);
                    if (Uri.UnescapeDataString(decoded) == decoded)
                        break;
                }
                Assert.Equal(text, path.Full);
            }
            catch (LlmOps.Lifecycle.LlmOpsException e)
            {
                Assert.Equal(LlmOps.Lifecycle.ErrorCode.InvalidParameterValue, e.Code);
            }
        }
        Assert.InRange(taken, 100, 9000);
    }

    [Fact]
    public async Task Traversal_OverTheWire_FindsNothing_InAnySpelling()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var run = await client.RunAsync();
        foreach (var path in new[] { "../../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fetc%2fpasswd", "%252e%252e%252fetc%252fpasswd", "..%5c..%5cwindows", "/etc/passwd", "%2fetc%2fpasswd", "a/..;/b" })
        {
            // Sent as it stands: a client that tidies addresses would test itself.
            foreach (var (method, url) in new[] { (HttpMethod.Get, $"{Proxy}/{path}"), (HttpMethod.Put, $"{Proxy}/{path}"), (HttpMethod.Delete, $"{Proxy}/{path}"), (HttpMethod.Get, $"{Proxy}?path={path}"), (HttpMethod.Get, $"/get-artifact?run_uuid={run}&path={path}"), (HttpMethod.Get, $"/api/2.0/mlflow/artifacts/list?run_id={run}&path={path}") })
            {
                using var request = new HttpRequestMessage(method, new Uri(client.Http.BaseAddress!, url)) { Content = method == HttpMethod.Put ? new StringContent("x") : null };
                using var answer = await client.Http.SendAsync(request);
                var text = await answer.Content.ReadAsStringAsync();
                Assert.True((int)answer.StatusCode < 500, $"{method} {url}: {(int)answer.StatusCode}");
                Assert.DoesNotContain("root:", text, StringComparison.Ordinal);
                Assert.DoesNotContain(product.Folder, text, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public async Task Files_NeedTheirPermission()
    {
        using var viewer = await product.ProgramAsync(Roles.Viewer);
        using var put = await PutAsync(viewer, $"{Proxy}/1/2/artifacts/x", [1]);
        Assert.Equal(HttpStatusCode.Forbidden, put.StatusCode);
    }
}
