using LlmOps.Engines;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Evaluation;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using TorchSharp;

namespace LlmOps.Training;

/// <summary>Scores sequences with a Hugging Face folder's weights in libtorch, float32: the reference that exported graphs are compared with.</summary>
public sealed class TorchCausalModel : ICausalModel
{
    private readonly CausalLanguageModel model;

    private TorchCausalModel(CausalLanguageModel model) => this.model = model;

    /// <summary>Sizes and special token ids.</summary>
    public ModelConfig Config => model.Config;

    /// <inheritdoc/>
    public int VocabularySize => model.Config.VocabSize;

    /// <inheritdoc/>
    public int MaxLength => model.Config.MaxPositionEmbeddings;

    /// <summary>Loads config.json and model.safetensors.</summary>
    /// <param name="hfFolder">A Hugging Face model folder.</param>
    /// <param name="threads">Threads; 0 takes the number of processors, or what <see cref="TorchRuntime"/> was started with.</param>
    /// <exception cref="InvalidModelException">The folder is incomplete or contradicts itself.</exception>
    /// <exception cref="UnsupportedModelException">The architecture is none that can be trained.</exception>
    public static TorchCausalModel Load(string hfFolder, int threads = 0)
    {
        TorchRuntime.Start(threads == 0 && TorchRuntime.Threads > 0 ? TorchRuntime.Threads : threads);
        return new TorchCausalModel(ModelFolder.Load(hfFolder, trainable: false));
    }

    /// <summary>Raw scores for the next token after each token of each sequence.</summary>
    /// <param name="sequences">Token ids, each 1 to <see cref="MaxLength"/> long.</param>
    /// <returns>Per sequence [length · vocabulary], row-major.</returns>
    /// <exception cref="ArgumentException">A sequence is empty, too long or holds an id outside the vocabulary.</exception>
    public float[][] Logits(IReadOnlyList<int[]> sequences)
    {
        foreach (int[] sequence in sequences)
        {
            if (sequence.Length < 1 || sequence.Length > MaxLength) throw new ArgumentException($"A sequence has {sequence.Length} tokens; 1 to {MaxLength} are possible.", nameof(sequences));
            foreach (int id in sequence)
            {
                if ((uint)id >= (uint)VocabularySize) throw new ArgumentException($"Token {id} is outside the vocabulary of {VocabularySize}.", nameof(sequences));
            }
        }
        if (sequences.Count == 0) return [];
        using var noGradient = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        TokenBatch batch = TokenBatch.OfSequences([.. sequences.Select(s => new TokenSequence(s, s.Length))], model.Config.PadTokenId);
        torch.Tensor hidden = model.Hidden(batch).view(batch.Rows, batch.Length, -1);
        var all = new float[sequences.Count][];
        for (int row = 0; row < all.Length; row++)
        {
            using var rowScope = torch.NewDisposeScope();
            torch.Tensor logits = model.Logits(hidden[row].narrow(0, 0, sequences[row].Length));
            all[row] = logits.data<float>().ToArray();
        }
        return all;
    }

    /// <inheritdoc/>
    public void Dispose() => model.Dispose();
}
