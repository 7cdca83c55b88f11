using LlmOps.Lifecycle.Evaluation.Judges;

namespace LlmOps.Worker.Judging;

/// <param name="PromptTokens">0 where the judge does not say.</param>
public sealed record JudgeAnswer(string Text, int PromptTokens, int AnswerTokens);

/// <summary>The judge did not answer, or what it answered is no verdict. The row it was asked about is missing; the others are not touched.</summary>
public sealed class JudgeFailedException(string message) : Exception(message);

/// <summary>A model that is asked what it thinks of an answer. Safe for use on many threads.</summary>
public interface IJudge : IDisposable
{
    /// <summary>"name/number".</summary>
    string Key { get; }

    JudgeDocument Document { get; }

    /// <exception cref="JudgeFailedException">No answer came, for a reason that says what to do.</exception>
    Task<JudgeAnswer> AskAsync(string prompt, int seed, CancellationToken ct);
}
