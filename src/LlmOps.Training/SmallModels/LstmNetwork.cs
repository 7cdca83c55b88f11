using LlmOps.Engines.SmallModels;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.SmallModels;

/// <summary>The layers of an <see cref="LstmConfig"/> as functions of its tensors, in whatever float type they have.</summary>
/// <param name="config">Sizes.</param>
/// <param name="weights">A tensor by its name in <see cref="LstmConfig.Tensors"/>.</param>
internal sealed class LstmNetwork(LstmConfig config, Func<string, Tensor> weights)
{
    /// <summary>
    /// Hidden states [batch, sequence, hidden] of the last layer for ids [batch, sequence] (int64), and the state after the last token. Per step:
    /// i, f, o = σ(…), g = tanh(…) of W x + U h + b; c ← f c + i g; h ← o tanh(c).
    /// </summary>
    /// <param name="ids">Tokens.</param>
    /// <param name="hidden">State [layers, batch, hidden] before the first token; null for zero.</param>
    /// <param name="cell">Cells of the same shape; null for zero.</param>
    public (Tensor Out, Tensor Hidden, Tensor Cell) Run(Tensor ids, Tensor? hidden = null, Tensor? cell = null)
    {
        long batch = ids.shape[0], length = ids.shape[1];
        int size = config.HiddenSize;
        Tensor x = weights("embedding.weight").index_select(0, ids.transpose(0, 1).reshape(-1)).view(length, batch, config.EmbeddingSize);
        var (lastHidden, lastCell) = (new Tensor[config.Layers], new Tensor[config.Layers]);
        for (int layer = 0; layer < config.Layers; layer++)
        {
            // The input's part of all gates and steps is one product; only the state's part has to wait for the step before.
            Tensor given = F.linear(x, weights($"lstm.{layer}.weight_ih"), weights($"lstm.{layer}.bias"));
            Tensor recurrent = weights($"lstm.{layer}.weight_hh").t();
            Tensor h = hidden is null ? zeros([batch, size], x.dtype) : hidden[layer], c = cell is null ? zeros([batch, size], x.dtype) : cell[layer];
            var states = new Tensor[length];
            for (int t = 0; t < length; t++)
            {
                Tensor gates = addmm(given[t], h, recurrent, 1, 1);
                Tensor gate = gates.narrow(1, 0, 2 * size).sigmoid();
                c = gate.narrow(1, size, size) * c + gate.narrow(1, 0, size) * gates.narrow(1, 2 * size, size).tanh();
                h = gates.narrow(1, 3 * size, size).sigmoid() * c.tanh();
                states[t] = h;
            }
            x = stack(states);
            (lastHidden[layer], lastCell[layer]) = (h, c);
        }
        return (x.transpose(0, 1), stack(lastHidden), stack(lastCell));
    }

    /// <summary>Scores over the vocabulary for hidden states [n, hidden]: [n, vocabulary].</summary>
    public Tensor Logits(Tensor states) => F.linear(states, weights(config.TieEmbeddings ? "embedding.weight" : "head.weight"), weights("head.bias"));
}
