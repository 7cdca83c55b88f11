using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Tests.Api;

public sealed class SuiteApiTests(WebProduct product)
{
    private const string Yaml = """
        name: api-suite
        tasks:
          - { name: speed, kind: latency, prompt: "{{ q }}", metrics: [latency, size], rows: [{ q: dog }] }
        """;

    private static Uri At(string path) => new(path, UriKind.Relative);

    [Fact]
    public async Task Noise_IsGivenForASuiteAndARun_AndAComparisonSaysWhatItIsWorth()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var saved = await engineer.PostAsync(At("/api/v1/suites"), new StringContent(Yaml));
        Assert.Equal(HttpStatusCode.Created, saved.StatusCode);
        var runs = await MakeAsync();

        var noise = (await engineer.GetFromJsonAsync<JsonElement>(At("/api/v1/suites/api-suite/noise")))[0];
        Assert.Equal(("suite-lm/1", "int8", 2), (noise.GetProperty("version").GetString(), noise.GetProperty("variant").GetString(), noise.GetProperty("runs").GetArrayLength()));
        var latency = noise.GetProperty("metrics").EnumerateArray().Single(m => m.GetProperty("name").GetString() == "speed.latency");
        // 10 ms and 12 ms: t(1) · √2 · sd = 12.7062 · 2
        Assert.Equal(25.41, latency.GetProperty("floor").GetDouble(), 2);
        Assert.Equal(noise.ToString(), (await engineer.GetFromJsonAsync<JsonElement>(At($"/api/v1/evaluations/{runs[1]}/noise"))).ToString());
        using var once = await engineer.GetAsync(At($"/api/v1/evaluations/{runs[2]}/noise"));
        Assert.Equal(HttpStatusCode.NotFound, once.StatusCode);
        Assert.Contains("was measured once", await once.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        var near = await engineer.GetFromJsonAsync<JsonElement>(At($"/api/v1/evaluations/compare?a={runs[2]}&b={runs[0]}"));
        Assert.Equal(("speed.latency", -2.0), (near.GetProperty("below_noise")[0].GetProperty("metric").GetString(), near.GetProperty("below_noise")[0].GetProperty("effect").GetDouble()));
        Assert.Empty(near.GetProperty("incomparable").EnumerateObject());
        var apart = await engineer.GetFromJsonAsync<JsonElement>(At($"/api/v1/evaluations/compare?a={runs[3]}&b={runs[0]}"));
        Assert.Contains("measured on different machines (there; here)", apart.GetProperty("incomparable").GetProperty("speed.latency").GetString(), StringComparison.Ordinal);
        Assert.Equal("speed.size", Assert.Single(apart.GetProperty("metrics").EnumerateArray()).GetProperty("key").GetString());
        Assert.Equal("here", (await engineer.GetFromJsonAsync<JsonElement>(At($"/api/v1/evaluations/{runs[0]}"))).GetProperty("facts").GetProperty("machines").GetProperty("speed")[0].GetString());
    }

    /// <summary>Two repeats of int8, one run of fp32 on the same machine, one of fp16 on another.</summary>
    private Task<List<Guid>> MakeAsync() => product.WriteAsync(async db =>
    {
        var file = Path.Combine(Directory.CreateDirectory(Path.Combine(product.Folder, "suite")).FullName, "content.txt");
        await File.WriteAllTextAsync(file, "suite");
        var stored = await product.Get<Lifecycle.Artifacts.ArtifactStore>().PutFolderAsync(Path.GetDirectoryName(file)!);
        var version = await db.AddVersionAsync(new("suite-lm", "import", stored, 10, "", "", "MIT", "{}", null, null, null), WebProduct.Admin, DateTimeOffset.UtcNow, default);
        var suite = await db.SuiteVersions.SingleAsync(v => db.EvaluationSuites.Any(s => s.Id == v.SuiteId && s.Name == "api-suite"));
        var (job, ids) = (Guid.CreateVersion7(), new List<Guid>());
        foreach (var (variant, repeat, ms, machine) in new[] { ("int8", 0, 10.0, "here"), ("int8", 1, 12.0, "here"), ("fp32", 0, 12.0, "here"), ("fp16", 0, 5.0, "there") })
        {
            var run = new EvaluationRun
            {
                SuiteId = suite.SuiteId, SuiteVersionId = suite.Id, VersionId = version.Id, VariantName = variant, Repeat = repeat, State = JobState.Succeeded, DatasetsJson = "{}", JobId = job, StartedAt = DateTimeOffset.UtcNow, EndedAt = DateTimeOffset.UtcNow,
                CreatedBy = "admin", TasksJson = Json.Write(SuiteDocument.Parse(Yaml).Measures), DetailJson = RunFacts.WithMachine(null, ["speed"], machine),
            };
            db.Add(run);
            ids.Add(run.Id);
            for (var i = 0; i < 10; i++)
            {
                db.RowScores.Add(new RowScore { EvaluationRunId = run.Id, Task = "speed.latency", RowKey = $"{i}", Value = ms });
                db.RowScores.Add(new RowScore { EvaluationRunId = run.Id, Task = "speed.size", RowKey = $"{i}", Value = 1000 });
            }
        }
        return ids;
    });
}
