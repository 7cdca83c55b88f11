using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Pipelines;

/// <summary>Plays the worker for one run: claims its jobs and ends them as a test says.</summary>
internal sealed class PipelineDriver
{
    private readonly TestProduct product;
    private readonly Dictionary<Guid, Job> claimed = [];

    private PipelineDriver(TestProduct product, Guid runId) => (this.product, RunId) = (product, runId);

    public Guid RunId { get; }

    public static async Task<PipelineDriver> StartAsync(TestProduct product, string yaml)
    {
        var definition = await product.Get<StartPipeline>().DefineAsync(yaml, "", product.Alice);
        return new(product, (await product.Get<StartPipeline>().StartAsync(definition.Name, product.Alice)).Id);
    }

    /// <summary>For a run that something else started.</summary>
    public static PipelineDriver Of(TestProduct product, Guid runId) => new(product, runId);

    public Task<PipelineRun> RunAsync() => product.ReadAsync(db => db.PipelineRuns.AsNoTracking().SingleAsync(r => r.Id == RunId));

    public Task<StageRun> StageAsync(string name) => product.ReadAsync(db => db.StageRuns.AsNoTracking().SingleAsync(s => s.PipelineRunId == RunId && s.Name == name));

    /// <summary>"name State" of each stage, in the order of the document.</summary>
    public async Task<string> StatesAsync() =>
        string.Join(", ", await product.ReadAsync(db => db.StageRuns.Where(s => s.PipelineRunId == RunId).OrderBy(s => s.Ordinal).Select(s => s.Name + " " + s.State).ToListAsync()));

    public async Task<Job> ClaimAsync(string stage)
    {
        var wanted = (await StageAsync(stage)).JobId ?? throw new InvalidOperationException($"{stage} has no job.");
        while (!claimed.ContainsKey(wanted))
        {
            var job = await product.ClaimAsync();
            claimed[job.Id] = job;
        }
        return claimed[wanted];
    }

    public async Task SucceedAsync(string stage, params (string Name, string Value)[] outputs)
    {
        await EndAsync(stage, outputs);
        await product.Get<AdvancePipelines>().AdvanceAsync(RunId);
    }

    /// <summary>The job ends, but nobody has looked at the run yet.</summary>
    public async Task EndAsync(string stage, params (string Name, string Value)[] outputs) =>
        await product.Context(await ClaimAsync(stage)).CompleteAsync(_ => Task.FromResult(outputs.ToDictionary(o => o.Name, o => o.Value)), default);

    public async Task FailAsync(string stage, string error = "It broke.")
    {
        await product.Get<JobTransitions>().FailAsync(await ClaimAsync(stage), error);
        await product.Get<AdvancePipelines>().AdvanceAsync(RunId);
    }

    public Task<int> JobsOfAsync(string stage) =>
        product.ReadAsync(db => db.Jobs.CountAsync(j => db.StageRuns.Any(s => s.Id == j.StageRunId && s.PipelineRunId == RunId && s.Name == stage)));

    public async Task<T> ParametersAsync<T>(string stage)
    {
        var job = (await StageAsync(stage)).JobId;
        var spec = Json.Read<StageSpec>(await product.ReadAsync(db => db.Jobs.Where(j => j.Id == job).Select(j => j.SpecJson).SingleAsync()));
        return Json.Read<T>(spec.ParametersJson);
    }
}
