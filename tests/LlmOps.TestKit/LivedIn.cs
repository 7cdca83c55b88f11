using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Lifecycle.Tracing;

namespace LlmOps.TestKit;

/// <summary>A product that was used: something in every area, made by the use cases wherever there is one.</summary>
public sealed record LivedIn(PipelineRun Run, Job FailedJob, ModelVersion Champion, ModelVersion Candidate, Guid ChampionEvaluation, Guid CandidateEvaluation, ApprovalRequest Waiting, string TraceId, Person Engineer, Person Release)
{
    public const string Yaml = """
        name: tiny
        description: Two stages
        stages:
          - name: import
            kind: import-data
            with:
              source: data    # beside the pipeline
              name: facts
          - name: tokenizer
            kind: train-tokenizer
            with:
              corpus: ${import.corpus}
              vocabulary_size: 512
        """;

    public static async Task<LivedIn> MakeAsync(TestProduct product)
    {
        var people = product.Get<ManagePeople>();
        var engineer = await people.CreateAsync("erin", "Erin Engineer", null, [Roles.Engineer], product.Ada);
        var release = await people.CreateAsync("rolf", "Rolf Release", null, [Roles.ReleaseManager], product.Ada);

        await product.Get<StartPipeline>().DefineAsync(Yaml, "tiny", product.Alice);
        var run = await product.Get<StartPipeline>().StartAsync("tiny", product.Alice);
        var job = await product.ClaimAsync();
        await product.WriteAsync(db =>
        {
            for (var i = 0; i < 3; i++)
                db.JobLog.Add(new JobLogLine { JobId = job.Id, Attempt = 1, At = product.Clock.GetUtcNow(), Level = i == 2 ? "error" : "info", Text = $"line {i}" });
            db.Workers.Add(new WorkerNode { Id = job.WorkerId!.Value, Name = "worker-1", Host = "here", ProcessId = 1, Slots = 2, Provides = "cpu", MemoryBytes = 1 << 30, StartedAt = product.Clock.GetUtcNow(), HeartbeatAt = product.Clock.GetUtcNow() });
        });
        await product.Get<JobTransitions>().FailAsync(job, "row 3 is no JSON");
        await product.Get<AdvancePipelines>().AdvanceAsync(run.Id);
        await product.Get<ManageSchedules>().CreateAsync("nightly", "tiny", "0 3 * * *", "Europe/Berlin", product.Alice);

        var champion = await product.VersionAsync("tiny-lm", "int8");
        var championRun = await product.EvaluationAsync(champion.Id, "int8", Scores(0.4));
        await product.PromoteAsync(champion, "int8");
        var candidate = await product.VersionAsync("tiny-lm", "fp32", "int8");
        var candidateRun = await product.EvaluationAsync(candidate.Id, "int8", Scores(0.8));
        await product.WriteAsync(db => db.GateDecisions.Add(new GateDecision
        {
            VersionId = candidate.Id, VariantName = "int8", Verdict = Verdict.Pass, Chosen = true, PolicyJson = "{}", JobId = Guid.CreateVersion7(), At = product.Clock.GetUtcNow(),
            ReasonsJson = Json.Write(new List<RuleResult> { new("preference.accuracy >= 0.5", Verdict.Pass, "preference.accuracy is 0.8.") }),
        }));
        var waiting = await product.RequestAsync(candidate, "int8");

        await product.Get<Deploy>().DeployAsync("assistant", DeploymentKind.Chat, champion.Key().ToString(), "int8", null, product.Rosa);
        await product.Get<Deploy>().DeployAsync("assistant", DeploymentKind.Chat, champion.Key().ToString(), "int8", null, product.Rosa);
        var stored = await product.StoreAsync("no index");
        await product.WriteAsync(db => db.AddIndexAsync(new BuiltIndex("handbook", stored, 3, 12, 8, champion.Id, "{}", null), product.Alice, product.Clock.GetUtcNow(), default).GetAwaiter().GetResult());

        var trace = Guid.NewGuid().ToString("N");
        var at = product.Clock.GetUtcNow();
        await product.Get<IngestSpans>().IngestAsync(
        [
            new Span { SpanId = trace[..16], TraceId = trace, Name = "chat", Kind = "chat", DeploymentName = "assistant", RevisionName = "2", StartedAt = at, DurationMs = 120, FirstTokenMs = 30, InputTokens = 4, OutputTokens = 10, Input = "Define dog.", Output = "an animal", UserName = "alice" },
            new Span { SpanId = trace[16..], TraceId = trace, ParentSpanId = trace[..16], Name = "generate", Kind = "generation", DeploymentName = "assistant", StartedAt = at.AddMilliseconds(10), DurationMs = 100 },
        ]);
        await product.Get<GiveFeedback>().GiveAsync(trace, 1, null, product.Alice);
        return new(run, job, champion, candidate, championRun.Id, candidateRun.Id, waiting, trace, engineer, release);
    }

    /// <summary>Forty preference rows of which the given share is right, and as many timings.</summary>
    private static Dictionary<string, double[]> Scores(double right) => new()
    {
        ["preference"] = [.. Enumerable.Range(0, 40).Select(i => i < 40 * right ? 1.0 : 0.0)],
        ["latency"] = [.. Enumerable.Range(0, 5).Select(i => 20 + i * right)],
        ["size"] = [1_000_000 * (2 - right)],
    };
}
