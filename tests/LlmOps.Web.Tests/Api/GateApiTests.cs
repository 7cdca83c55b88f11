using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Registry;

namespace LlmOps.Web.Tests.Api;

public sealed class GateApiTests(WebProduct product)
{
    private static Uri At(string path) => new(path, UriKind.Relative);

    [Fact]
    public async Task AVersion_IsJudgedByAPolicy_Compared_Planned_AndExported()
    {
        await MakeAsync();
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var wrong = await engineer.PostAsJsonAsync(At("/api/v1/gate-policies"), new { yaml = "name: api-gate\nalhpa: 1" });
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
        Assert.Contains("line 2: 'alhpa' is unknown", await wrong.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var saved = await engineer.PostAsJsonAsync(At("/api/v1/gate-policies"), new { yaml = "name: api-gate\nnon_inferiority:\n  - metric: preference.accuracy\n    margin: 0.05\n" });
        Assert.Equal(HttpStatusCode.Created, saved.StatusCode);

        using var judged = await engineer.PostAsJsonAsync(At("/api/v1/gate"), new { version = "gate-lm/1", suite = "api-gate", policy = "api-gate/1", champion = "gate-lm/1:fp32", variant = "int4" });
        var verdict = (await judged.Content.ReadFromJsonAsync<JsonElement>())[0];
        Assert.Equal(("int4", "Fail"), (verdict.GetProperty("variant").GetString(), verdict.GetProperty("verdict").GetString()));
        Assert.Contains("worse by more than the margin", verdict.GetProperty("words").GetString(), StringComparison.Ordinal);
        Assert.Equal(1, (await engineer.GetFromJsonAsync<JsonElement>(At("/api/v1/gate-policies/api-gate"))).GetProperty("decisions").GetArrayLength());

        var plan = await engineer.GetFromJsonAsync<JsonElement>(At("/api/v1/gate/plan?suite=api-gate&rows=200&policy=api-gate"));
        Assert.Equal("preference.accuracy", plan.GetProperty("metrics")[0].GetProperty("name").GetString());
        Assert.True(plan.GetProperty("metrics")[0].GetProperty("detectable").GetDouble() > 0);

        const string Runs = "runs=gate-lm/1:fp32,gate-lm/1:int4&suite=api-gate";
        var metric = (await engineer.GetFromJsonAsync<JsonElement>(At($"/api/v1/evaluations/comparison?{Runs}")))[0].GetProperty("metrics")[0];
        Assert.Equal((-0.5, 50), (metric.GetProperty("difference").GetProperty("value").GetDouble(), metric.GetProperty("regressed").GetInt32()));
        var rows = await engineer.GetFromJsonAsync<JsonElement>(At($"/api/v1/evaluations/comparison/rows?{Runs}&task=preference&filter=regressed&take=3"));
        Assert.Equal((50, 3), (rows.GetProperty("total").GetInt32(), rows.GetProperty("rows").GetArrayLength()));
        var csv = (await engineer.GetStringAsync(At($"/api/v1/evaluations/comparison/export.csv?{Runs}"))).Trim().Split('\n');
        Assert.Equal(2, csv.Length);
        Assert.Contains("gate-lm/1 fp32,gate-lm/1 int4,preference.accuracy,share,1,0.5,-0.5,", csv[1], StringComparison.Ordinal);
        using var one = await engineer.GetAsync(At("/api/v1/evaluations/comparison?runs=gate-lm/1:fp32"));
        Assert.Equal(HttpStatusCode.BadRequest, one.StatusCode);
    }

    private async Task MakeAsync()
    {
        var file = Path.Combine(Directory.CreateDirectory(Path.Combine(product.Folder, "gate")).FullName, "content.txt");
        await File.WriteAllTextAsync(file, "gate");
        var stored = await product.Get<Lifecycle.Artifacts.ArtifactStore>().PutFolderAsync(Path.GetDirectoryName(file)!);
        await product.WriteAsync(async db =>
        {
            var version = await db.AddVersionAsync(new("gate-lm", "import", stored, 10, "", "", "MIT", "{}", null, null, null), WebProduct.Admin, DateTimeOffset.UtcNow, default);
            var suite = new EvaluationSuite { Name = "api-gate", DefinitionJson = "{}", CreatedAt = DateTimeOffset.UtcNow };
            db.Add(suite);
            foreach (var name in new[] { "fp32", "int4" })
            {
                await db.PutVariantAsync(new(version.Id, name, name, stored, null, "{}", null), WebProduct.Admin, DateTimeOffset.UtcNow, default);
                var run = new EvaluationRun { SuiteId = suite.Id, VersionId = version.Id, VariantName = name, State = JobState.Succeeded, DatasetsJson = "{}", JobId = Guid.CreateVersion7(), StartedAt = DateTimeOffset.UtcNow, CreatedBy = "admin" };
                var rows = Enumerable.Range(0, 100).Select(i => new RowScore { EvaluationRunId = run.Id, Task = "preference", RowKey = $"{i:D4}", Value = name == "fp32" || i % 2 == 0 ? 1 : 0 }).ToList();
                db.Add(run);
                db.RowScores.AddRange(rows);
                db.EvaluationMetrics.AddRange(SummariseRows.Summarise(run.Id, rows, 300));
            }
            return version;
        });
    }
}
