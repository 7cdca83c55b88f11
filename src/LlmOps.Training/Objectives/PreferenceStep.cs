using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training.Objectives;

/// <summary>Gradients of one optimizer step on preference pairs, in as many parts as memory asks for; their sizes change the result by rounding only.</summary>
/// <param name="model">The model that is trained.</param>
/// <param name="objective">Loss of a pair.</param>
/// <param name="likelihoodWeight">Weight of the chosen completions' mean loss per token.</param>
/// <param name="partPairs">Most pairs of a part.</param>
/// <param name="partTokens">Most tokens of a part.</param>
internal sealed class PreferenceStep(CausalLanguageModel model, PreferenceLoss objective, double likelihoodWeight, int partPairs, int partTokens)
{
    // The odds ratio's paper fits the whole sequence, prompt included; the other likelihood terms fit the completion.
    private readonly bool withPrompt = objective.Objective == PreferenceObjective.OddsRatio;

    /// <summary>Adds the gradients of the mean loss over all pairs, or only measures them; the metrics are means over pairs.</summary>
    public Accumulated Accumulate(IReadOnlyList<PreferencePair> pairs, CancellationToken ct, bool train = true)
    {
        double loss = 0, likelihood = 0, likelihoodTokens = pairs.Sum(p => withPrompt ? p.Chosen.Tokens.Length - 1 : p.Chosen.Scored);
        double chosenReward = 0, rejectedReward = 0, accurate = 0, chosenLog = 0, rejectedLog = 0, oddsRatio = 0, odds = 0;
        // A part holds both completions of a pair, so it has twice the rows.
        foreach (List<PreferencePair> part in LengthBuckets.MicroBatches(pairs, p => p.Length, Math.Max(1, partTokens / 2), partPairs))
        {
            ct.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var (log, chosenLikelihood) = LogProbabilities(part);
            Tensor nll = -chosenLikelihood.sum() / likelihoodTokens;
            Tensor partLoss = objective.Of(log).sum() / pairs.Count;
            if (likelihoodWeight > 0) partLoss += nll * likelihoodWeight;
            if (train) model.Backward(partLoss);
            loss += partLoss.item<float>();
            likelihood += nll.item<float>();
            using var noGradient = no_grad();
            var (chosenRewards, rejectedRewards) = objective.Rewards(log);
            chosenReward += chosenRewards.sum().item<float>();
            rejectedReward += rejectedRewards.sum().item<float>();
            accurate += chosenRewards.gt(rejectedRewards).sum().item<long>();
            chosenLog += log.Chosen.sum().item<float>();
            rejectedLog += log.Rejected.sum().item<float>();
            if (!withPrompt) continue;
            Tensor logOdds = PreferenceLoss.LogOdds(log);
            odds += logOdds.sum().item<float>();
            oddsRatio += nn.functional.logsigmoid(logOdds).sum().item<float>();
        }
        int n = pairs.Count;
        var metrics = new Dictionary<string, double>
        {
            ["rewards/chosen"] = chosenReward / n, ["rewards/rejected"] = rejectedReward / n, ["rewards/accuracies"] = accurate / n,
            ["rewards/margins"] = (chosenReward - rejectedReward) / n, ["logps/chosen"] = chosenLog / n, ["logps/rejected"] = rejectedLog / n,
        };
        if (likelihoodWeight > 0) metrics["nll_loss"] = likelihood;
        if (withPrompt) (metrics["log_odds_chosen"], metrics["log_odds_ratio"]) = (odds / n, oddsRatio / n);
        return new Accumulated(loss, pairs.Sum(p => p.Chosen.Tokens.Length + p.Rejected.Tokens.Length), metrics);
    }

    /// <summary>One forward pass over both completions: sums per completion, and per chosen row what its likelihood term counts.</summary>
    private (PairLogProbabilities Log, Tensor ChosenLikelihood) LogProbabilities(List<PreferencePair> part)
    {
        int n = part.Count;
        TokenBatch batch = TokenBatch.OfSequences(
            [.. part.Select(p => withPrompt ? p.Chosen with { ScoredFrom = 1 } : p.Chosen), .. part.Select(p => p.Rejected)], model.Config.PadTokenId);
        Tensor each = TokenLogProbabilities.Of(model, batch), rows = model.Place(batch.ScoredRow);
        Tensor sums = zeros(batch.Rows, device: model.Device).index_add(0, rows, each, 1);
        Tensor chosenLikelihood = sums.narrow(0, 0, n), chosen = chosenLikelihood;
        if (withPrompt) chosen = zeros(batch.Rows, device: model.Device).index_add(0, rows, each * model.Place(CompletionOnly(part, batch)), 1).narrow(0, 0, n);
        return (new PairLogProbabilities(
            chosen, sums.narrow(0, n, n), Counts(part.Select(p => p.Chosen)), Counts(part.Select(p => p.Rejected)),
            model.Place([.. part.Select(p => p.ReferenceChosen)]), model.Place([.. part.Select(p => p.ReferenceRejected)])), chosenLikelihood);
    }

    // 1 for tokens of a completion, 0 for those of a chosen row's prompt.
    private static float[] CompletionOnly(List<PreferencePair> part, TokenBatch batch)
    {
        var mask = new float[batch.ScoredAt.Length];
        for (int i = 0; i < mask.Length; i++)
        {
            long row = batch.ScoredRow[i], token = batch.ScoredAt[i] - row * batch.Length + 1;
            mask[i] = row >= part.Count || token >= part[(int)row].Chosen.ScoredFrom ? 1 : 0;
        }
        return mask;
    }

    private Tensor Counts(IEnumerable<TokenSequence> sequences) => model.Place([.. sequences.Select(s => (float)s.Scored)]);
}
