using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmOps.Engines.Evaluation;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Tests.Api;

/// <summary>Wherever a score of a judge is given, it is said whether the judge was ever held against people.</summary>
public sealed class JudgeApiTests(WebProduct product)
{
    private const string Suite = """
        name: api-judged
        tasks:
          - { name: help, kind: judge-score, judge: api-critic/1, prompt: "{{ q }}", metrics: [score, { metric: acceptable, at_least: 3 }], rows: [{ q: dog }] }
        """;

    private static Uri At(string path) => new(path, UriKind.Relative);

    [Fact]
    public async Task AJudge_IsSaved_AndEveryScoreOfItSaysWhetherItIsCalibrated()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var viewer = await product.ProgramAsync(Roles.Viewer);
        const string Yaml = "name: api-critic\nkind: openai\nendpoint: http://127.0.0.1:9/v1\nmodel: any\nmode: score\ncriteria: short\napi_key: CRITIC\n";
        using var forbidden = await viewer.PostAsJsonAsync(At("/api/v1/judges"), new { yaml = Yaml });
        Assert.Equal(HttpStatusCode.Forbidden, forbidden.StatusCode);
        using var secret = await engineer.PostAsJsonAsync(At("/api/v1/judges"), new { yaml = Yaml.Replace("CRITIC", "sk-123", StringComparison.Ordinal) });
        Assert.Equal(HttpStatusCode.BadRequest, secret.StatusCode);
        Assert.Contains("not the key", await secret.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var saved = await engineer.PostAsJsonAsync(At("/api/v1/judges"), new { yaml = Yaml });
        Assert.Equal(HttpStatusCode.Created, saved.StatusCode);
        using var suite = await engineer.PostAsync(At("/api/v1/suites"), new StringContent(Suite));
        Assert.Equal(HttpStatusCode.Created, suite.StatusCode);
        using var calibrate = await engineer.PostAsJsonAsync(At("/api/v1/judges/api-critic/calibrations"), new { number = 1, preferences = "nobody/1" });
        Assert.Equal(HttpStatusCode.NotFound, calibrate.StatusCode);

        var run = await MakeAsync();
        var before = (await viewer.GetFromJsonAsync<JsonElement>(At($"/api/v1/evaluations/{run}/judges")))[0];
        Assert.Equal("judge api-critic/1 is not calibrated", before.GetProperty("warning").GetString());
        Assert.Equal(JsonValueKind.Null, before.TryGetProperty("calibration", out var none) ? none.ValueKind : JsonValueKind.Null);
        Assert.Contains("is not calibrated", await CardAsync(), StringComparison.Ordinal);
        using var judged = await engineer.PostAsJsonAsync(At("/api/v1/gate"), new { version = "judged-lm/1", suite = "api-judged", policy = await PolicyAsync(engineer), variant = "int8" });
        Assert.Contains("Beware: judge api-critic/1 is not calibrated", await judged.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        await CalibrateAsync();
        var after = (await viewer.GetFromJsonAsync<JsonElement>(At($"/api/v1/evaluations/{run}/judges")))[0];
        Assert.Contains("κ = 0.60", after.GetProperty("words").GetString(), StringComparison.Ordinal);
        // 60 of 100 called good by a judge with sensitivity 0.9 and specificity 0.7: (0.6 + 0.7 − 1) / (0.9 + 0.7 − 1)
        Assert.Equal(0.5, after.GetProperty("corrected").GetProperty("value").GetDouble(), 6);
        var card = await CardAsync();
        Assert.DoesNotContain("is not calibrated", card, StringComparison.Ordinal);
        Assert.Contains("sensitivity 0.90, specificity 0.70", card, StringComparison.Ordinal);
        var listed = (await viewer.GetFromJsonAsync<JsonElement>(At("/api/v1/judges"))).EnumerateArray().Single(j => j.GetProperty("name").GetString() == "api-critic");
        Assert.Equal(0.6, listed.GetProperty("calibration").GetProperty("report").GetProperty("kappa").GetProperty("value").GetDouble(), 6);
    }

    private Task<string> CardAsync() => product.Get<ReadModelRecords>().CardAsync(new("judged-lm", 1));

    private static async Task<string> PolicyAsync(HttpClient engineer)
    {
        using var saved = await engineer.PostAsJsonAsync(At("/api/v1/gate-policies"), new { yaml = "name: api-judged-gate\nthresholds:\n  - metric: help.score\n    at_least: 2\n" });
        Assert.True(saved.IsSuccessStatusCode, await saved.Content.ReadAsStringAsync());
        return "api-judged-gate/1";
    }

    /// <summary>What a worker leaves behind; workers have tests of their own.</summary>
    private Task<Guid> MakeAsync() => product.WriteAsync(async db =>
    {
        var file = Path.Combine(Directory.CreateDirectory(Path.Combine(product.Folder, "judged")).FullName, "content.txt");
        await File.WriteAllTextAsync(file, "judged");
        var stored = await product.Get<Lifecycle.Artifacts.ArtifactStore>().PutFolderAsync(Path.GetDirectoryName(file)!);
        var version = await db.AddVersionAsync(new("judged-lm", "import", stored, 10, "", "", "MIT", "{}", null, null, null), WebProduct.Admin, DateTimeOffset.UtcNow, default);
        await db.PutVariantAsync(new(version.Id, "int8", "int8", stored, null, "{}", null), WebProduct.Admin, DateTimeOffset.UtcNow, default);
        var suite = await db.SuiteVersions.SingleAsync(v => db.EvaluationSuites.Any(s => s.Id == v.SuiteId && s.Name == "api-judged"));
        var tasks = Lifecycle.Evaluation.Suites.SuiteDocument.Parse(suite.Yaml).Measures;
        var conduct = new JudgeConduct("api-critic/1", 100, 100, null, null, null, 0.1, null, 1000, 100, true, 0);
        var run = new EvaluationRun
        {
            SuiteId = suite.SuiteId, SuiteVersionId = suite.Id, VersionId = version.Id, VariantName = "int8", State = JobState.Succeeded, DatasetsJson = "{}", TasksJson = Json.Write(tasks), JobId = Guid.CreateVersion7(),
            DetailJson = Json.Write(new { judges = new Dictionary<string, JudgeConduct> { ["help"] = conduct } }), StartedAt = DateTimeOffset.UtcNow, CreatedBy = "admin",
        };
        db.Add(run);
        var rows = Enumerable.Range(0, 100).SelectMany(i => new[] { ("help.score", i < 60 ? 4.0 : 2), ("help.acceptable", i < 60 ? 1 : 0) }.Select(s => new RowScore { EvaluationRunId = run.Id, Task = s.Item1, RowKey = $"{i:D4}", Value = s.Item2 })).ToList();
        db.RowScores.AddRange(rows);
        db.EvaluationMetrics.AddRange(SummariseRows.Summarise(run.Id, rows, 300, tasks));
        return run.Id;
    });

    private Task<Guid> CalibrateAsync() => product.WriteAsync(async db =>
    {
        var judge = await db.Judges.SingleAsync(j => j.Name == "api-critic");
        static JudgeTrace Trace(bool yes) => new("api-critic/1", [new(false, yes ? 5 : 1, 10, 1, "")], 5, null);
        // Of 50 good answers it takes 45 for good, of 50 bad ones 15.
        var rows = Enumerable.Range(0, 100).Select(i => new CalibrationRow($"{i}", i < 50, Trace(i < 45 || i >= 85))).ToList();
        var calibration = new JudgeCalibration { JudgeId = judge.Id, Dataset = "facts/1", ReportJson = Json.Write(CalibrationReport.Of(rows, judge.Document(), 3)), CreatedBy = "admin", At = DateTimeOffset.UtcNow };
        db.JudgeCalibrations.Add(calibration);
        return calibration.Id;
    });
}
