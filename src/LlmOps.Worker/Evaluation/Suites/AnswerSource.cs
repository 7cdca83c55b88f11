using System.Text;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Evaluation.Suites;

namespace LlmOps.Worker.Evaluation.Suites;

/// <summary>Writes answers: a variant with its cache, one after the other; a checkpoint without one, many together.</summary>
public sealed class AnswerSource(Func<ICausalModel> checkpoint, Tokenizer tokenizer, Func<TextGenerator>? generator)
{
    public int MostRows => generator is null ? 32 : 1;

    public IReadOnlyList<string> Write(IReadOnlyList<int[]> prompts, IReadOnlyList<int> seeds, SuiteTask task, CancellationToken ct)
    {
        if (generator is not null)
            return [.. prompts.Zip(seeds, (prompt, seed) => Write(generator(), prompt, seed, task, ct))];
        if (task.Temperature > 0)
            throw new NotSupportedException("The checkpoint's framework writes greedy answers only: set 'temperature: 0', or measure a variant.");
        var model = checkpoint();
        if (prompts.FirstOrDefault(p => p.Length >= model.MaxLength) is { } tooLong)
            throw new ArgumentException($"The prompt has {tooLong.Length} tokens and leaves no room for an answer: the model's context holds {model.MaxLength}.");
        return [.. GreedyAnswers.Generate(model, tokenizer, prompts, task.MaxTokens, ct).Select(answer => Cut(answer, task.Stop))];
    }

    private static string Write(TextGenerator generator, int[] prompt, int seed, SuiteTask task, CancellationToken ct)
    {
        var answer = new StringBuilder();
        foreach (var token in generator.Generate(prompt, new SamplingOptions(task.MaxTokens, (float)task.Temperature, Seed: seed, Stop: task.Stop.Count > 0 ? task.Stop : null), ct))
            answer.Append(token.Text);
        return answer.ToString();
    }

    private static string Cut(string answer, IReadOnlyList<string> stops)
    {
        var first = stops.Select(stop => answer.IndexOf(stop, StringComparison.Ordinal)).Where(at => at >= 0).DefaultIfEmpty(answer.Length).Min();
        return answer[..first];
    }
}
