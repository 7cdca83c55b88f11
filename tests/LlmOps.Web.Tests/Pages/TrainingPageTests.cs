using Bunit;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Tracking;
using LlmOps.TestKit;
using LlmOps.Web.Components.Pages.Experiments;
using LlmOps.Web.Components.Shared;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Tests.Pages;

/// <summary>The page of a training: what it makes, how it ended, what can be done about it.</summary>
public sealed class TrainingPageTests : RecordPages
{
    private const string Yaml = """
        name: shapes
        stages:
          - name: train
            kind: pretrain
            with: {corpus: shapes-corpus/1, tokenizer: abc, model: shapes, epochs: 3}
        """;

    [Fact]
    public async Task PauseAndResume_AndStopAndKeep_AreOneClickEach()
    {
        var (run, job) = await TrainingAsync();
        var page = OpenRun(run);
        page.WaitForAssertion(() => Button(page, "Pause"));
        Button(page, "Pause").Click();
        page.WaitForAssertion(() => Assert.Equal("Pausing", page.Find(".page-heading .state").TextContent.Trim()), TimeSpan.FromSeconds(5));
        Assert.Equal(JobControl.Pause, await ControlAsync(job));
        Button(page, "Resume").Click();
        page.WaitForAssertion(() => Button(page, "Pause"));
        Assert.Equal("", await ControlAsync(job));
        Button(page, "Stop and keep").Click();
        page.WaitForAssertion(() => Assert.True(Button(page, "Pause").HasAttribute("disabled")));
        Assert.Equal(JobControl.StopAndKeep, await ControlAsync(job));
    }

    [Fact]
    public async Task APausedTraining_SaysSo_AndAViewerCannotResumeIt()
    {
        var (run, job) = await TrainingAsync();
        await Product.Get<ControlTraining>().PauseAsync(run, Product.Alice);
        await Product.Get<JobTransitions>().RequeueAsync(job, null, null, countAttempt: false);
        var page = Open<RunPage>(Product.Victor, $"/runs/{run}", p => p.Add(x => x.Id, run));
        page.WaitForAssertion(() => Assert.Contains("no worker takes it until somebody resumes", page.Markup, StringComparison.Ordinal));
        Assert.True(Button(page, "Resume").HasAttribute("disabled"));
    }

    [Theory]
    [InlineData("overfitting", "Overfitting")]
    [InlineData("stuck-at-ln2", "Stuck at ln 2")]
    [InlineData("still-improving", "Still improving")]
    [InlineData("converged", "Converged")]
    [InlineData("plateau", "Plateau")]
    [InlineData("diverged", "Diverged")]
    [InlineData("not-a-number", "Not a number")]
    [InlineData("exploding-gradients", "Exploding gradients")]
    [InlineData("nothing-labelled", "Nothing labelled")]
    [InlineData("out-of-memory", "Out of memory")]
    [InlineData("cannot-tell", "Cannot tell")]
    [InlineData("failed", "Failed")]
    public async Task TheVerdict_StandsWithItsReason(string verdict, string word)
    {
        var (run, _) = await TrainingAsync();
        await using (var db = Product.Open())
            await db.Runs.ExecuteUpdateAsync(s => s.SetProperty(r => r.Verdict, verdict).SetProperty(r => r.VerdictText, "The held-out loss was lowest after step 40."));
        var page = OpenRun(run);
        page.WaitForAssertion(() => Assert.Contains("lowest after step 40", page.Find(".run-verdict").TextContent, StringComparison.Ordinal));
        Assert.Contains(word, page.Find(".run-verdict").TextContent, StringComparison.Ordinal);
    }

    [Fact]
    public async Task HeldOutLoss_IsDrawnBesideTheLoss()
    {
        var (run, _) = await TrainingAsync();
        await using (var db = Product.Open())
        {
            await db.AddMetricsAsync(run, [new("loss", 1, 3), new("held_out_loss", 1, 3.2), new("perplexity", 1, 20), new("held_out_perplexity", 1, 24), new("held_out_rewards/accuracies", 1, 0.6)], Product.Clock.GetUtcNow(), default);
            await db.SaveChangesAsync();
        }
        var page = OpenRun(run);
        page.WaitForAssertion(() => Assert.Equal(["Loss", "Perplexity", "Reward accuracy"], page.FindComponents<LiveCurve>().Select(c => c.Instance.Title)));
        Assert.Equal(["loss", "held_out_loss"], page.FindComponents<LiveCurve>()[0].Instance.Series);
    }

    [Fact]
    public async Task Samples_StandStepByStep_AndAPictureIsChosenByItsStep()
    {
        var (run, _) = await TrainingAsync();
        var first = new RunOutput { RunId = run, Step = 10, Title = "Grid", MediaType = RunOutput.Png, Content = "Sixteen grey squares", Digest = "d1" };
        var last = new RunOutput { RunId = run, Step = 20, Title = "Grid", MediaType = RunOutput.Png, Content = "Sixteen digits", Digest = "d2" };
        await Product.WriteAsync(db => db.RunOutputs.AddRange(first, last, new RunOutput { RunId = run, Step = 20, Title = "Once upon", MediaType = RunOutput.Text, Content = "a time there was" }));
        var page = OpenRun(run, "?tab=made");
        page.WaitForAssertion(() => Assert.Equal("Grid, step 20: Sixteen digits", page.Find(".made-picture img").GetAttribute("alt")));
        Assert.Contains("a time there was", page.Find(".made-texts").TextContent, StringComparison.Ordinal);
        page.Find(".made-slider input").Input("0");
        Assert.Equal(($"/api/v1/runs/{run}/outputs/{first.Id}/picture", "Grid, step 10: Sixteen grey squares"), (page.Find(".made-picture img").GetAttribute("src"), page.Find(".made-picture img").GetAttribute("alt")));
        page.FindAll(".made-strip button")[1].Click();
        Assert.Equal("Grid, step 20: Sixteen digits", page.Find(".made-picture img").GetAttribute("alt"));
    }

    [Fact]
    public async Task ContinueFromHere_StartsANewRun_WithTheEpochsThatWereTyped()
    {
        var (run, _) = await TrainingAsync();
        var kept = new RunCheckpoint { RunId = run, Step = 40, Digest = new string('a', 64), Loss = 1.25, HeldOutLoss = 1.5, Best = true, SizeBytes = 2048 };
        var gone = new RunCheckpoint { RunId = run, Step = 20, Digest = new string('b', 64), Loss = 2, SizeBytes = 2048, RemovedAt = Product.Clock.GetUtcNow() };
        await Product.WriteAsync(db => db.RunCheckpoints.AddRange(kept, gone));
        var page = OpenRun(run, "?tab=checkpoints");
        page.WaitForAssertion(() => Assert.Equal(2, page.FindAll("button").Count(b => b.TextContent.StartsWith("Continue from here", StringComparison.Ordinal))));
        var buttons = page.FindAll("button").Where(b => b.TextContent.StartsWith("Continue from here", StringComparison.Ordinal)).ToList();
        Assert.Equal((false, true), (buttons[0].HasAttribute("disabled"), buttons[1].HasAttribute("disabled")));
        buttons[0].Click();
        page.WaitForElement("dialog .parameters");
        Assert.Equal("3", page.FindAll("dialog input").Single(i => i.Id!.EndsWith("epochs", StringComparison.Ordinal)).GetAttribute("value"));
        page.FindAll("dialog input").Single(i => i.Id!.EndsWith("epochs", StringComparison.Ordinal)).Change("7");
        page.FindAll("dialog button").Single(b => b.TextContent.Trim() == "Continue").Click();
        page.WaitForAssertion(() => Assert.Contains("/pipeline-runs/", Address, StringComparison.Ordinal));
        var yaml = await Product.ReadAsync(db => db.PipelineRuns.Where(r => r.Number == 2).Select(r => r.Yaml).SingleAsync());
        Assert.Contains($"epochs: 7, resume_from: \"{kept.Id}\"", yaml, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ComparedRuns_ShowVerdictsHeldOutNumbersDifferencesAndWhatTheyMake()
    {
        var (first, second) = (await FinishedAsync("a", "0.001", 1.9, "converged"), await FinishedAsync("b", "0.003", 1.7, "overfitting"));
        await Product.WriteAsync(db => db.RunOutputs.AddRange(
            new RunOutput { RunId = first, Step = 20, Title = "Grid", MediaType = RunOutput.Png, Content = "Blurred digits", Digest = "d" },
            new RunOutput { RunId = second, Step = 30, Title = "Grid", MediaType = RunOutput.Png, Content = "Sharp digits", Digest = "d" },
            new RunOutput { RunId = first, Step = 20, Title = "Only one has this", MediaType = RunOutput.Text, Content = "…" }));
        var page = Open<ComparePage>(Product.Alice, $"/runs/compare?ids={first},{second}");
        page.WaitForAssertion(() => Assert.Contains("The last held-out loss is lowest in b (1.700)", page.Find(".verdict-line").TextContent, StringComparison.Ordinal));
        Assert.Equal(["Converged", "Overfitting"], page.FindAll("td.wrap .state").Select(s => s.TextContent.Trim()));
        Assert.Equal(["0.003"], page.FindAll("tr.differs td.is-other").Select(t => t.TextContent));
        Assert.Equal(["Grid of a, step 20: Blurred digits", "Grid of b, step 30: Sharp digits"], page.FindAll(".made-side-by-side img").Select(i => i.GetAttribute("alt")));
        Assert.DoesNotContain("Only one has this", page.Markup, StringComparison.Ordinal);
    }

    private async Task<Guid> FinishedAsync(string name, string rate, double heldOut, string verdict)
    {
        await using var db = Product.Open();
        var run = await db.EnsureRunAsync("shapes", name, Guid.CreateVersion7(), "alice", new Dictionary<string, string> { ["learning_rate"] = rate, ["epochs"] = "3" }, Product.Clock.GetUtcNow(), default);
        (run.Verdict, run.VerdictText, run.State) = (verdict, "Because.", RunState.Succeeded);
        await db.SaveChangesAsync();
        await db.AddMetricsAsync(run.Id, [new("loss", 1, 2), new("held_out_loss", 1, heldOut)], Product.Clock.GetUtcNow(), default);
        await db.SaveChangesAsync();
        return run.Id;
    }

    private IRenderedComponent<RunPage> OpenRun(Guid run, string query = "") => Open<RunPage>(Product.Alice, $"/runs/{run}{query}", p => p.Add(x => x.Id, run));

    private Task<string> ControlAsync(Job job) => Product.ReadAsync(db => db.Jobs.Where(j => j.Id == job.Id).Select(j => j.Control).SingleAsync());

    private async Task<(Guid Run, Job Job)> TrainingAsync()
    {
        await Product.Get<StartPipeline>().DefineAsync(Yaml, "", Product.Alice);
        await Product.Get<StartPipeline>().StartAsync("shapes", Product.Alice);
        var job = await Product.ClaimAsync();
        await using var db = Product.Open();
        var run = await db.EnsureRunAsync("shapes", "train", job.Id, "alice", new Dictionary<string, string> { ["epochs"] = "3" }, Product.Clock.GetUtcNow(), default);
        await db.SaveChangesAsync();
        return (run.Id, job);
    }
}
