using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Tracking;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Web.Tests.Api;

public sealed class TrainingApiTests(WebProduct product)
{
    [Fact]
    public async Task ATraining_IsPausedResumedAndStopped_AndRefusesWhatCannotBe()
    {
        var (run, job, _) = await TrainingAsync();
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var viewer = await product.ProgramAsync(Roles.Viewer);
        Assert.Equal(HttpStatusCode.Forbidden, await PostAsync(viewer, $"/api/v1/runs/{run}/pause"));
        Assert.Equal(HttpStatusCode.NoContent, await PostAsync(engineer, $"/api/v1/runs/{run}/pause"));
        var detail = await viewer.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{run}");
        Assert.Equal("pause", detail.GetProperty("origin").GetProperty("control").GetString());
        Assert.Equal(HttpStatusCode.NoContent, await PostAsync(engineer, $"/api/v1/runs/{run}/resume"));
        using var again = await engineer.PostAsync(new Uri($"/api/v1/runs/{run}/resume", UriKind.Relative), null);
        Assert.Equal(HttpStatusCode.Conflict, again.StatusCode);
        Assert.Contains("It is not paused.", (await again.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NoContent, await PostAsync(engineer, $"/api/v1/runs/{run}/stop"));
        await using var db = await Dbs.CreateDbContextAsync(TestContext.Current.CancellationToken);
        Assert.Equal(JobControl.StopAndKeep, await db.Jobs.Where(j => j.Id == job).Select(j => j.Control).SingleAsync(TestContext.Current.CancellationToken));
        Assert.Equal(HttpStatusCode.NoContent, await PostAsync(engineer, $"/api/v1/runs/{run}/cancel"));
        Assert.True(await db.Jobs.Where(j => j.Id == job).Select(j => j.CancelRequested).SingleAsync(TestContext.Current.CancellationToken));
        await EndAsync(db, job);
    }

    [Fact]
    public async Task OutputsPicturesAndCheckpoints_AreRead_AndACheckpointIsContinued()
    {
        var (run, job, stage) = await TrainingAsync();
        var folder = Directory.CreateTempSubdirectory("llmops-picture-").FullName;
        byte[] png = [137, 80, 78, 71, 13, 10, 26, 10];
        await File.WriteAllBytesAsync(Path.Combine(folder, "picture.png"), png, TestContext.Current.CancellationToken);
        var digest = (await product.Services.GetRequiredService<ArtifactStore>().PutFolderAsync(folder, TestContext.Current.CancellationToken)).Digest;
        Directory.Delete(folder, recursive: true);
        var checkpoint = new RunCheckpoint { RunId = run, Step = 8, Digest = new string('c', 64), Loss = 2, SizeBytes = 10 };
        await using var db = await Dbs.CreateDbContextAsync(TestContext.Current.CancellationToken);
        db.RunCheckpoints.Add(checkpoint);
        db.RunOutputs.Add(new RunOutput { RunId = run, Step = 8, Title = "Grid", MediaType = RunOutput.Png, Content = "Four digits", Digest = digest });
        await db.SaveChangesAsync(TestContext.Current.CancellationToken);
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        var point = (await engineer.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{run}/outputs"))[0].GetProperty("points")[0];
        Assert.Equal("Four digits", point.GetProperty("text").GetString());
        using var picture = await engineer.GetAsync(new Uri($"/api/v1/runs/{run}/outputs/{point.GetProperty("id").GetString()}/picture", UriKind.Relative));
        Assert.Equal("image/png", picture.Content.Headers.ContentType?.MediaType);
        Assert.Equal(png, await picture.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
        Assert.Equal(8, (await engineer.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{run}/checkpoints"))[0].GetProperty("step").GetInt32());
        using var wrong = await engineer.PostAsJsonAsync($"/api/v1/runs/{Guid.NewGuid()}/checkpoints/{checkpoint.Id}/continue", new { });
        Assert.Equal(HttpStatusCode.NotFound, wrong.StatusCode);
        using var refused = await engineer.PostAsJsonAsync($"/api/v1/runs/{run}/checkpoints/{checkpoint.Id}/continue", new { with = new Dictionary<string, string> { ["epochs"] = "many" } });
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        using var started = await engineer.PostAsJsonAsync($"/api/v1/runs/{run}/checkpoints/{checkpoint.Id}/continue", new { with = new Dictionary<string, string> { ["epochs"] = "4" } });
        Assert.Equal(HttpStatusCode.Created, started.StatusCode);
        var next = await engineer.GetFromJsonAsync<JsonElement>(started.Headers.Location);
        Assert.Contains($"resume_from: \"{checkpoint.Id}\"", next.GetProperty("yaml").GetString(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NoContent, await PostAsync(engineer, $"{started.Headers.Location}/cancel"));
        await EndAsync(db, job);
        Assert.NotEqual(Guid.Empty, stage);
    }

    private IDbContextFactory<LlmOpsDb> Dbs => product.Services.GetRequiredService<IDbContextFactory<LlmOpsDb>>();

    private static async Task<HttpStatusCode> PostAsync(HttpClient client, string path)
    {
        using var answer = await client.PostAsync(new Uri(path, UriKind.Relative), null);
        return answer.StatusCode;
    }

    private static Task EndAsync(LlmOpsDb db, Guid job) => db.Jobs.Where(j => j.Id == job).ExecuteUpdateAsync(s => s.SetProperty(j => j.State, JobState.Cancelled));

    /// <summary>A training that a worker elsewhere has under way.</summary>
    private async Task<(Guid Run, Guid Job, Guid Stage)> TrainingAsync()
    {
        var name = "api-train-" + Guid.NewGuid().ToString("N")[..6];
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        var yaml = $"name: {name}\nstages:\n  - name: train\n    kind: pretrain\n    with: {{corpus: none/1, tokenizer: none, model: none}}\n";
        using var defined = await engineer.PostAsync(new Uri("/api/v1/pipelines", UriKind.Relative), new StringContent(yaml));
        Assert.Equal(HttpStatusCode.OK, defined.StatusCode);
        using var started = await engineer.PostAsync(new Uri($"/api/v1/pipelines/{name}/runs", UriKind.Relative), null);
        var stage = (await engineer.GetFromJsonAsync<JsonElement>(started.Headers.Location)).GetProperty("stages")[0];
        var (job, id) = (stage.GetProperty("job_id").GetGuid(), stage.GetProperty("id").GetGuid());
        await using var db = await Dbs.CreateDbContextAsync(TestContext.Current.CancellationToken);
        await db.Jobs.Where(j => j.Id == job).ExecuteUpdateAsync(s => s.SetProperty(j => j.State, JobState.Running).SetProperty(j => j.Attempt, 1).SetProperty(j => j.LeaseUntil, DateTimeOffset.UtcNow.AddHours(1)));
        var run = await db.EnsureRunAsync(name, "train", job, "alice", new Dictionary<string, string>(), DateTimeOffset.UtcNow, TestContext.Current.CancellationToken);
        await db.SaveChangesAsync(TestContext.Current.CancellationToken);
        return (run.Id, job, id);
    }
}
