using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Objectives;

/// <summary>Gradients of one optimizer step on marked completions. The baseline is taken over the whole step first, so that parts change the result by rounding only.</summary>
/// <param name="model">The model that is trained.</param>
/// <param name="objective">Loss of a completion.</param>
/// <param name="partRows">Most completions of a part.</param>
/// <param name="partTokens">Most tokens of a part.</param>
internal sealed class UnpairedStep(CausalLanguageModel model, UnpairedLoss objective, int partRows, int partTokens)
{
    /// <summary>Adds the gradients of the mean loss over all rows, or only measures them. Means of a kind that the step does not hold are left out of the metrics.</summary>
    public Accumulated Accumulate(IReadOnlyList<MarkedCompletion> rows, CancellationToken ct, bool train = true)
    {
        double baseline = Baseline(rows, ct), loss = 0;
        double[] reward = [0, 0], log = [0, 0];
        foreach (List<MarkedCompletion> part in LengthBuckets.MicroBatches(rows, r => r.Completion.Tokens.Length, partTokens, partRows))
        {
            ct.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            Tensor logs = TokenLogProbabilities.PerRow(model, TokenBatch.OfSequences([.. part.Select(r => r.Completion)], model.Config.PadTokenId));
            Tensor ratios = logs - model.Place([.. part.Select(r => r.Reference)]);
            Tensor partLoss = objective.Of(ratios, model.Place([.. part.Select(r => r.Desirable ? 1f : 0f)]), baseline).sum() / rows.Count;
            if (train) model.Backward(partLoss);
            loss += partLoss.item<float>();
            float[] each = logs.detach().cpu().data<float>().ToArray();
            for (int i = 0; i < each.Length; i++)
            {
                int kind = part[i].Desirable ? 0 : 1;
                log[kind] += each[i];
                reward[kind] += objective.Beta * (each[i] - part[i].Reference);
            }
        }
        int desirable = rows.Count(r => r.Desirable), undesirable = rows.Count - desirable;
        var metrics = new Dictionary<string, double> { ["kl"] = baseline };
        if (desirable > 0) (metrics["rewards/chosen"], metrics["logps/chosen"]) = (reward[0] / desirable, log[0] / desirable);
        if (undesirable > 0) (metrics["rewards/rejected"], metrics["logps/rejected"]) = (reward[1] / undesirable, log[1] / undesirable);
        if (desirable > 0 && undesirable > 0) metrics["rewards/margins"] = metrics["rewards/chosen"] - metrics["rewards/rejected"];
        return new Accumulated(loss, rows.Sum(r => r.Completion.Tokens.Length), metrics);
    }

    private double Baseline(IReadOnlyList<MarkedCompletion> rows, CancellationToken ct)
    {
        using var noGradient = no_grad();
        var ratios = new List<double>(rows.Count);
        foreach (List<MarkedCompletion> part in LengthBuckets.MicroBatches(rows, r => r.Mismatched.Tokens.Length, partTokens, partRows))
        {
            ct.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            float[] log = TokenLogProbabilities.PerRow(model, TokenBatch.OfSequences([.. part.Select(r => r.Mismatched)], model.Config.PadTokenId)).cpu().data<float>().ToArray();
            ratios.AddRange(log.Select((value, i) => (double)value - part[i].ReferenceMismatched));
        }
        return UnpairedLoss.Baseline(ratios);
    }
}
