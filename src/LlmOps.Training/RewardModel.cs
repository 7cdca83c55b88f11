using LlmOps.Engines;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Text;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training;

/// <summary>A trained reward: one number for an answer to a prompt, read from the hidden state of its last token. Only differences between answers to one prompt mean something.</summary>
public sealed class RewardModel : IDisposable
{
    private readonly CausalLanguageModel model;
    private readonly PromptFormat format;

    private RewardModel(CausalLanguageModel model, PromptFormat format) => (this.model, this.format) = (model, format);

    /// <summary>Loads a folder that <see cref="RewardModelling"/> wrote.</summary>
    /// <param name="folder">Folder with config.json, weights, head and tokenizer.</param>
    /// <param name="threads">Threads; 0 takes the number of processors, or what <see cref="TorchRuntime"/> was started with.</param>
    /// <exception cref="InvalidModelException">The folder is incomplete or holds no reward model.</exception>
    public static RewardModel Load(string folder, int threads = 0)
    {
        TorchRuntime.Start(threads == 0 && TorchRuntime.Threads > 0 ? TorchRuntime.Threads : threads);
        if (!ScoreHead.IsIn(folder)) throw new InvalidModelException("The checkpoint is no reward model: its config.json names no class for sequence classification.");
        return new RewardModel(ModelFolder.LoadScored(folder, trainable: false), PromptFormat.Load(folder, Tokenizer.Load(folder)));
    }

    /// <summary>Rewards of answers, in their order. What is longer than the model's context is cut.</summary>
    public float[] Score(IReadOnlyList<(string Prompt, string Completion)> answers, CancellationToken ct = default)
    {
        using var noGradient = no_grad();
        int limit = model.Config.MaxPositionEmbeddings;
        List<TokenSequence> sequences = [.. answers.Select(a =>
        {
            int[] tokens = [.. format.Prompt(a.Prompt), .. format.Completion(a.Completion)];
            return new TokenSequence(tokens.Length > limit ? tokens[..limit] : tokens, 1);
        })];
        var rewards = new List<float>(answers.Count);
        foreach (List<TokenSequence> part in LengthBuckets.MicroBatches(sequences, s => s.Tokens.Length, MicroBatch.Tokens(model)))
        {
            ct.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            rewards.AddRange(Rewards(model, part).cpu().data<float>().ToArray());
        }
        return [.. rewards];
    }

    /// <inheritdoc/>
    public void Dispose() => model.Dispose();

    /// <summary>Reward of each sequence [sequences].</summary>
    internal static Tensor Rewards(CausalLanguageModel model, IReadOnlyList<TokenSequence> sequences)
    {
        TokenBatch batch = TokenBatch.OfSequences(sequences, model.Config.PadTokenId);
        Tensor last = model.Place(sequences.Select((s, row) => (long)row * batch.Length + s.Tokens.Length - 1).ToArray());
        return nn.functional.linear(model.Hidden(batch).index_select(0, last), model.Adapter?.Whole(ScoreHead.TensorName) ?? model.Parameters[ScoreHead.TensorName]).squeeze(-1);
    }
}
