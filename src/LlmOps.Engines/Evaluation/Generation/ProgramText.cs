using System.Text.RegularExpressions;

namespace LlmOps.Engines.Evaluation.Generation;

/// <summary>Makes the program of an answer, to be run by <see cref="ProgramRunner"/>.</summary>
public static partial class ProgramText
{
    /// <summary>The content of the answer's first fenced block, or the answer itself if it has none. A block that was cut off ends with the answer.</summary>
    public static string OfAnswer(string answer) => Fence().Match(answer) is { Success: true } block ? block.Groups[1].Value : answer;

    /// <summary>
    /// HumanEval's order: the prompt and the answer that completes it, then the tests. An answer in a fenced block that repeats the prompt's last line (chat models answer with the
    /// whole function) stands alone, after the prompt's other lines with what they import.
    /// </summary>
    /// <param name="prompt">The beginning of the program; may be empty.</param>
    /// <param name="answer">The model's answer.</param>
    /// <param name="tests">What is appended: it must end the program with another exit code than 0 where the answer is wrong.</param>
    public static string Assemble(string prompt, string answer, string tests)
    {
        var code = OfAnswer(answer);
        var signature = prompt.Split('\n').Select(l => l.Trim()).LastOrDefault(l => Definition().IsMatch(l));
        var whole = signature is not null && code.Contains(signature, StringComparison.Ordinal);
        var start = whole ? prompt[..prompt.LastIndexOf(signature!, StringComparison.Ordinal)] : prompt;
        return $"{start}{code}\n{tests}\n";
    }

    [GeneratedRegex(@"```[^\n`]*\n(.*?)(?:\n[ \t]*```|\z)", RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"^(?:async\s+)?(?:def|function)\s+\w+\s*\(")]
    private static partial Regex Definition();
}
