using LlmOps.Engines.Text;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using TorchSharp;

namespace LlmOps.Training;

/// <summary>What a language model answers while it is trained: greedy continuations of a few fixed prompts, so that only the model changes between steps.</summary>
internal sealed class TextSamples(Tokenizer tokenizer, IReadOnlyList<(string Title, int[] Tokens)> prompts)
{
    private const int Prompts = 3;
    private const int NewTokens = 32;

    /// <summary>The beginnings of a few texts as prompts of a model that continues texts.</summary>
    public static TextSamples OfTexts(Tokenizer tokenizer, IReadOnlyList<string> texts) =>
        new(tokenizer, [.. texts.Take(Prompts).Select(t => (Title: Beginning(t), Tokens: PromptTemplate.Document(tokenizer, Beginning(t))[..^1]))]);

    /// <summary>A few prompts of a model that answers.</summary>
    public static TextSamples OfPrompts(Tokenizer tokenizer, IEnumerable<string> asked) =>
        new(tokenizer, [.. asked.Distinct().Take(Prompts).Select(p => (p, PromptTemplate.Prompt(tokenizer, p)))]);

    /// <summary>Prompt and continuation of each; the most probable token at each place, up to 32 or the end of the text.</summary>
    public IReadOnlyList<TrainingSample> Of(CausalLanguageModel model) => [.. prompts.Select(p => new TrainingSample(p.Title, Continue(model, p.Tokens)))];

    private string Continue(CausalLanguageModel model, int[] prompt)
    {
        var tokens = new List<int>(prompt);
        while (tokens.Count < prompt.Length + NewTokens && tokens.Count < model.Config.MaxPositionEmbeddings)
        {
            using var scope = torch.NewDisposeScope();
            TokenBatch batch = TokenBatch.OfSequences([new TokenSequence([.. tokens], tokens.Count)], model.Config.PadTokenId);
            int next = (int)model.Logits(model.Hidden(batch).narrow(0, tokens.Count - 1, 1)).argmax(-1).item<long>();
            if (next == tokenizer.EosId) break;
            tokens.Add(next);
        }
        return tokens.Count == prompt.Length ? "(nothing: the first token is the end of the text)" : tokenizer.Decode([.. tokens.Skip(prompt.Length)]);
    }

    private static string Beginning(string text)
    {
        string[] words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return string.Join(' ', words.Take(Math.Max(1, Math.Min(4, words.Length / 2))));
    }
}
