using LlmOps.Engines.Inference.Batching;
using LlmOps.Lifecycle.Deployments;

namespace LlmOps.Web.Serving;

/// <param name="Together">Whether rows go through the graph as one step.</param>
/// <param name="Requests">Requests that are computed or wait at this moment.</param>
public sealed record RevisionBatch(string Revision, bool Together, int Requests, int Waiting, long MemoryBytes, IReadOnlyList<BatchStep> Steps);

/// <summary>How the models behind a deployment share their work; of those that are loaded.</summary>
public sealed class ReadBatches(ReadDeployments deployments, ReadServing serving, ServedModels served)
{
    public async Task<IReadOnlyList<RevisionBatch>> GetAsync(string deployment, CancellationToken ct = default)
    {
        var kind = (await deployments.GetAsync(deployment, ct)).Row.Kind;
        var batches = new List<RevisionBatch>();
        foreach (var revision in await serving.GetAsync(deployment, kind, ct))
        {
            if (!served.Models.Keys.Contains(revision.VariantDigest))
                continue;
            using var model = await served.Models.BorrowAsync(revision.VariantDigest, ct);
            batches.Add(new(revision.Name, model.Value.GrowsTogether, model.Value.Requests, model.Value.Waiting, model.Value.MemoryBytes, model.Value.Steps));
        }
        return batches;
    }
}
