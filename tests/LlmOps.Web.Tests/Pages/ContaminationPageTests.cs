using System.Text.Json;
using Bunit;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Contamination;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Web.Components.Pages.Datasets;
using LlmOps.Web.Components.Pages.Evaluations;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Tests.Pages;

public sealed class ContaminationPageTests : OperationPages
{
    private const string Leak = "The quick brown fox jumps over the lazy dog near the river bank.";

    private async Task<EvaluationRun> LeakedRunAsync()
    {
        string Rows(bool heldOut, params string[] texts) => string.Join('\n', Enumerable.Range(0, 1000).Select(i => $"word{i}").Where(w => Split.IsHeldOut(w) == heldOut).Zip(texts, (w, t) => JsonSerializer.Serialize(new { text = t, headword = w })));
        await Product.DatasetAsync("exam", DatasetKind.Corpus, Rows(true, "Something else.", Leak));
        // The version of the test kit says that it was trained on facts/1.
        await Product.DatasetAsync("facts", DatasetKind.Corpus, Rows(false, Leak, "A fact."));
        var version = await Product.VersionAsync("leaky-lm", "fp32");
        await using var db = Product.Open();
        var run = new EvaluationRun
        {
            SuiteId = (await db.EvaluationSuites.FirstAsync()).Id, VersionId = version.Id, VariantName = "fp32", State = JobState.Succeeded, JobId = Guid.CreateVersion7(), StartedAt = Product.Clock.GetUtcNow(), CreatedBy = "alice",
            DatasetsJson = Json.Write(new { corpus = "exam/1" }),
        };
        db.Add(run);
        await db.SaveChangesAsync();
        return run;
    }

    [Fact]
    public async Task ARun_SaysWhatWasNotCompared_CanHaveItCompared_AndThenShowsTheRow()
    {
        var run = await LeakedRunAsync();
        var before = Open<EvaluationPage>(Product.Alice, $"/evaluations/{run.Id}?tab=contamination", p => p.Add(x => x.Id, run.Id));
        before.WaitForAssertion(() => Assert.Equal("CannotTell", before.Find("[data-contamination]").GetAttribute("data-contamination")));
        Assert.Contains("exam/1 with facts/1", before.Markup, StringComparison.Ordinal);
        await Button(before, "Compare them").ClickAsync(new());
        Assert.Contains("Queued", before.Markup, StringComparison.Ordinal);
        Assert.Equal(1, await Product.ReadAsync(db => db.Jobs.CountAsync(j => j.Kind == "check-contamination")));

        await Product.Get<CheckContamination>().OfRunAsync(run.Id);
        var page = Open<EvaluationPage>(Product.Victor, $"/evaluations/{run.Id}?tab=contamination", p => p.Add(x => x.Id, run.Id));
        page.WaitForAssertion(() => Assert.Equal("Contaminated", page.Find("[data-contamination]").GetAttribute("data-contamination")));
        page.WaitForAssertion(() => Assert.Contains(page.FindAll("td span"), s => s.GetAttribute("title") == Leak));
        Assert.Contains("1 of 2 rows is in the training data", page.Markup, StringComparison.Ordinal);

        var filtered = Open<EvaluationPage>(Product.Victor, $"/evaluations/{run.Id}?tab=contamination&kind=near", p => p.Add(x => x.Id, run.Id));
        filtered.WaitForAssertion(() => Assert.Contains("No row matches", filtered.Markup, StringComparison.Ordinal));
    }

    [Fact]
    public async Task AViewer_CannotStartAComparison()
    {
        var run = await LeakedRunAsync();
        var page = Open<EvaluationPage>(Product.Victor, $"/evaluations/{run.Id}?tab=contamination", p => p.Add(x => x.Id, run.Id));
        page.WaitForAssertion(() => Assert.True(Button(page, "Compare them").HasAttribute("disabled") || Button(page, "Compare them").GetAttribute("aria-disabled") == "true"));
    }
}
