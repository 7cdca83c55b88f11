using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmOps.Lifecycle.Identity;

namespace LlmOps.Web.Tests.Api;

public sealed class ParetoApiTests(WebProduct product)
{
    [Theory]
    [InlineData("/api/v1/models/nobody/versions/1/pareto")]
    [InlineData("/api/v1/models/nobody/pareto")]
    public async Task AnUnknownModel_IsNotFound(string path)
    {
        using var viewer = await product.ProgramAsync(Roles.Viewer);
        using var answer = await viewer.GetAsync(new Uri(path, UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal("RESOURCE_DOES_NOT_EXIST", (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error_code").GetString());
    }

    [Fact]
    public async Task AVersion_AnswersItsFront()
    {
        var stored = await product.Get<Lifecycle.Artifacts.ArtifactStore>().PutFolderAsync(Path.GetDirectoryName(Folder("pareto"))!);
        await product.WriteAsync(async db =>
        {
            var version = await Lifecycle.Registry.PublishVersion.AddVersionAsync(db, new("pareto-lm", "import", stored, 10, "", "", "MIT", "{}", null, null, null), WebProduct.Admin, DateTimeOffset.UtcNow, default);
            await Lifecycle.Registry.PublishVersion.PutVariantAsync(db, new(version.Id, "fp32", "fp32", stored, null, "{}", null), WebProduct.Admin, DateTimeOffset.UtcNow, default);
            return version;
        });
        using var viewer = await product.ProgramAsync(Roles.Viewer);
        var view = await viewer.GetFromJsonAsync<JsonElement>(new Uri("/api/v1/models/pareto-lm/versions/1/pareto", UriKind.Relative));
        Assert.Empty(view.GetProperty("points").EnumerateArray());
        Assert.Equal(("fp32", "never measured"), (view.GetProperty("unmeasured")[0].GetProperty("variant").GetString(), view.GetProperty("unmeasured")[0].GetProperty("missing").GetString()));
        using var wrong = await viewer.GetAsync(new Uri("/api/v1/models/pareto-lm/pareto?speed=size.bytes", UriKind.Relative));
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
    }

    private string Folder(string name)
    {
        var folder = Directory.CreateDirectory(Path.Combine(product.Folder, name)).FullName;
        File.WriteAllText(Path.Combine(folder, "content.txt"), name);
        return Path.Combine(folder, "content.txt");
    }
}
