using LlmOps.Engines.Inference.Batching;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Web.Serving;

/// <summary>Asks a deployment's shadow revisions what was asked of it. Nobody waits for their answers, which are only traced; when several are under way already, a request is left out.</summary>
public sealed class CopyToShadows(ServedModels served, IngestSpans spans, TimeProvider time, ILogger<CopyToShadows> log)
{
    private const int MostAtOnce = 4;
    private const string Client = "shadow";
    private int running;

    public void Copy(ServingRevision revision, string input, Func<BatchedGenerator, PreparedPrompt> prepare, Actor actor)
    {
        foreach (var shadow in revision.Shadows.Where(s => Random.Shared.Next(100) < s.ShadowPercent))
            if (Interlocked.Increment(ref running) <= MostAtOnce)
                _ = Task.Run(() => AnswerAsync(shadow, input, prepare, actor));
            else
                Interlocked.Decrement(ref running);
    }

    private async Task AnswerAsync(ServingRevision shadow, string input, Func<BatchedGenerator, PreparedPrompt> prepare, Actor actor)
    {
        try
        {
            await using var answer = new RunningGeneration(shadow, new ServedTrace(shadow, WatchCanaries.ShadowKind, input, actor, time), spans, input, Client, Admission.Free(), endsAdmission: true);
            answer.Begin(await served.Models.BorrowAsync(shadow.VariantDigest), prepare);
            await foreach (var _ in answer.TokensAsync())
            {
            }
        }
        catch (Exception e)
        {
            log.LogInformation("The shadow {Revision} did not answer: {Message}", shadow.Name, e.Message);
        }
        finally
        {
            Interlocked.Decrement(ref running);
        }
    }
}
