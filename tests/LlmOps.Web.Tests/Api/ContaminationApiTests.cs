using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation.Contamination;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Tests.Api;

public sealed class ContaminationApiTests(WebProduct product)
{
    private const string Leak = "The quick brown fox jumps over the lazy dog near the river bank.";

    private async Task<string> ImportAsync(string name, bool heldOut, params string[] texts)
    {
        var rows = string.Join('\n', Enumerable.Range(0, 1000).Select(i => $"word{i}").Where(w => Split.IsHeldOut(w) == heldOut).Zip(texts, (w, t) => JsonSerializer.Serialize(new { text = t, headword = w })));
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(rows));
        await product.Get<ImportDataset>().ImportAsync(name, DatasetKind.Corpus, stream, false, "MIT", "a test", WebProduct.Admin);
        return name;
    }

    [Fact]
    public async Task ADataset_SaysWhichTrainingsTouchedIt_AndWhichRows()
    {
        var id = Guid.NewGuid().ToString("N")[..8];
        var (exam, lessons) = (await ImportAsync($"exam-{id}", true, "something else", Leak), await ImportAsync($"lessons-{id}", false, Leak, "a lesson"));
        await using (var db = await product.Get<IDbContextFactory<Lifecycle.Data.LlmOpsDb>>().CreateDbContextAsync())
        {
            var artifact = (await db.DatasetVersions.SingleAsync(v => v.Dataset!.Name == lessons)).ArtifactDigest;
            await db.AddVersionAsync(new NewVersion($"lm-{id}", "pretrain", new(artifact, new([])), 1, "", $"{lessons}/1", "MIT", "{}", null, null, null), WebProduct.Admin, DateTimeOffset.UtcNow, default);
            await db.SaveChangesAsync();
        }
        var viewer = await product.ProgramAsync(Roles.Viewer);
        var address = $"/api/v1/datasets/{exam}/versions/1/contamination";
        Assert.Equal(HttpStatusCode.Forbidden, (await viewer.PostAsync($"{address}?version=lm-{id}/1", null)).StatusCode);
        var engineer = await product.ProgramAsync(Roles.Engineer);
        Assert.Equal(HttpStatusCode.NotFound, (await engineer.PostAsync($"{address}?version=nobody/1", null)).StatusCode);
        var started = await engineer.PostAsync($"{address}?version=lm-{id}/1", null);
        Assert.Equal(HttpStatusCode.Accepted, started.StatusCode);
        Assert.True((await started.Content.ReadFromJsonAsync<JsonElement>()).TryGetProperty("job_id", out _));
        Assert.Equal(HttpStatusCode.BadRequest, (await engineer.PostAsJsonAsync("/api/v1/contamination", new { })).StatusCode);

        // No worker runs here: the job's work is done in its place.
        Assert.Empty((await viewer.GetFromJsonAsync<JsonElement>(address)).GetProperty("measured").EnumerateArray());
        await product.Get<CheckContamination>().OfQuestionAsync(new(Dataset: $"{exam}/1", Version: $"lm-{id}/1"));
        var entry = Assert.Single((await viewer.GetFromJsonAsync<JsonElement>(address)).GetProperty("measured").EnumerateArray());
        Assert.Equal((2, 1, $"lm-{id}/1"), (entry.GetProperty("rows").GetInt32(), entry.GetProperty("exact_rows").GetInt32(), entry.GetProperty("versions")[0].GetString()));
        var rows = await viewer.GetFromJsonAsync<JsonElement>($"/api/v1/contamination/{entry.GetProperty("id").GetGuid()}/rows?kind=exact");
        var row = Assert.Single(rows.GetProperty("rows").EnumerateArray()).GetProperty("row");
        Assert.Equal((2, 1, "Exact", Leak, Leak), (row.GetProperty("row").GetInt32(), row.GetProperty("training_row").GetInt32(), row.GetProperty("kind").GetString(), row.GetProperty("text").GetString(), row.GetProperty("training_text").GetString()));
        Assert.Equal(0, (await viewer.GetFromJsonAsync<JsonElement>($"/api/v1/contamination/{entry.GetProperty("id").GetGuid()}/rows?kind=near")).GetProperty("total").GetInt32());
        Assert.Equal(HttpStatusCode.NotFound, (await viewer.GetAsync($"/api/v1/evaluations/{Guid.NewGuid()}/contamination")).StatusCode);
    }
}
