using LlmOps.Lifecycle.Evaluation.Judges;

namespace LlmOps.Worker.Judging;

/// <summary>Asks a judge about one answer as its document says: in both orders, several times, and again where a reply is no verdict.</summary>
public sealed class AskJudge(IJudge judge)
{
    private readonly JudgePrompt prompt = new(judge.Document);

    /// <exception cref="JudgeFailedException">The judge failed more often than it may.</exception>
    public async Task<JudgeTrace> PairAsync(string question, string candidate, string baseline, string? reference, int seed, CancellationToken ct)
    {
        var asked = new List<JudgeQuestion>();
        foreach (var swapped in judge.Document.BothOrders ? new[] { false, true } : [false])
        {
            var text = swapped ? prompt.Pair(question, baseline, candidate, reference) : prompt.Pair(question, candidate, baseline, reference);
            for (var sample = 0; sample < judge.Document.Samples; sample++)
                asked.Add(await AskAsync(text, swapped, seed + sample, reply => JudgeReply.Preference(reply) is var first && swapped ? 1 - first : first, ct));
        }
        return new(judge.Key, asked, candidate.Length, baseline.Length);
    }

    /// <inheritdoc cref="PairAsync"/>
    public async Task<JudgeTrace> OneAsync(string question, string answer, string? reference, int seed, CancellationToken ct)
    {
        var (asked, text) = (new List<JudgeQuestion>(), prompt.One(question, answer, reference));
        for (var sample = 0; sample < judge.Document.Samples; sample++)
            asked.Add(await AskAsync(text, false, seed + sample, reply => JudgeReply.Score(reply, judge.Document.Scale), ct));
        return new(judge.Key, asked, answer.Length, null);
    }

    private async Task<JudgeQuestion> AskAsync(string text, bool swapped, int seed, Func<string, double> read, CancellationToken ct)
    {
        var (prompt, written) = (0, 0);
        for (var attempt = 0; ; attempt++)
        {
            // Another seed: the same one would give the same words again.
            var answer = await judge.AskAsync(text, seed + attempt * 100_003, ct);
            // A reply that is no verdict was paid for as well.
            (prompt, written) = (prompt + answer.PromptTokens, written + answer.AnswerTokens);
            try
            {
                return new(swapped, read(answer.Text), prompt, written, answer.Text);
            }
            catch (ArgumentException e)
            {
                if (attempt >= judge.Document.Retries)
                    throw new JudgeFailedException($"{e.Message}{(attempt > 0 ? $" Asked {attempt + 1} times." : "")}");
            }
        }
    }
}
