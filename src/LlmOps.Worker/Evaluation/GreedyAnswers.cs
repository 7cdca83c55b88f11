using System.Numerics.Tensors;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Text;

namespace LlmOps.Worker.Evaluation;

/// <summary>Short greedy answers to many prompts at once. Without a cache: for a few tokens the batch matters more.</summary>
public static class GreedyAnswers
{
    private const int Batch = 64;

    public static IReadOnlyList<string> Generate(ICausalModel model, Tokenizer tokenizer, IReadOnlyList<int[]> prompts, int maxTokens, CancellationToken ct)
    {
        var answers = new string[prompts.Count];
        foreach (var chunk in Enumerable.Range(0, prompts.Count).OrderBy(i => prompts[i].Length).Chunk(Batch))
        {
            var texts = chunk.ToDictionary(i => i, i => prompts[i].ToList());
            var open = chunk.ToList();
            for (var step = 0; step < maxTokens && open.Count > 0; step++)
            {
                ct.ThrowIfCancellationRequested();
                var logits = model.Logits([.. open.Select(i => texts[i].ToArray())]);
                for (var k = open.Count - 1; k >= 0; k--)
                {
                    var next = TensorPrimitives.IndexOfMax(logits[k].AsSpan()[^model.VocabularySize..]);
                    if (next == tokenizer.EosId || texts[open[k]].Count + 1 >= model.MaxLength)
                        open.RemoveAt(k);
                    else
                        texts[open[k]].Add(next);
                }
            }
            foreach (var i in chunk)
                answers[i] = tokenizer.Decode(texts[i][prompts[i].Length..]).Trim();
        }
        return answers;
    }
}
