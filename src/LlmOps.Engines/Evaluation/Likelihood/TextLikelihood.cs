using System.Text;
using System.Text.RegularExpressions;

namespace LlmOps.Engines.Evaluation.Likelihood;

/// <summary>
/// How probable a model finds a text, with the lengths its measures are divided by. Those of several texts add up, so long texts weigh more than short ones.
/// </summary>
/// <param name="LogProbability">Σ ln p(token | all before).</param>
/// <param name="Tokens">Scored tokens.</param>
/// <param name="Words">Words as lm-evaluation-harness counts them.</param>
/// <param name="Bytes">UTF-8 bytes.</param>
public sealed partial record TextLikelihood(double LogProbability, long Tokens, long Words, long Bytes)
{
    /// <summary>Of a text.</summary>
    /// <param name="text">What words and bytes are counted of: for a detokenized corpus such as WikiText its original form.</param>
    /// <param name="logProbability">Σ ln p of its tokens.</param>
    /// <param name="tokens">How many tokens were scored.</param>
    public static TextLikelihood Of(string text, double logProbability, long tokens) => new(logProbability, tokens, CountWords(text), Encoding.UTF8.GetByteCount(text));

    /// <summary>Of all together.</summary>
    public static TextLikelihood Sum(IEnumerable<TextLikelihood> texts) =>
        texts.Aggregate(new TextLikelihood(0, 0, 0, 0), (a, b) => new(a.LogProbability + b.LogProbability, a.Tokens + b.Tokens, a.Words + b.Words, a.Bytes + b.Bytes));

    /// <summary>exp(−Σ ln p / tokens): comparable between models with the same tokenizer only.</summary>
    public double TokenPerplexity => Math.Exp(-LogProbability / Tokens);

    /// <summary>exp(−Σ ln p / words).</summary>
    public double WordPerplexity => Math.Exp(-LogProbability / Words);

    /// <summary>exp(−Σ ln p / bytes).</summary>
    public double BytePerplexity => Math.Exp(-LogProbability / Bytes);

    /// <summary>−Σ ln p / (bytes · ln 2): comparable whatever the tokenizer.</summary>
    public double BitsPerByte => -LogProbability / (Bytes * Math.Log(2));

    /// <summary>Pieces between white space; white space at an end adds an empty piece that is counted too.</summary>
    public static int CountWords(string text) => WhiteSpace().Count(text) + 1;

    [GeneratedRegex(@"\s+")]
    private static partial Regex WhiteSpace();
}
