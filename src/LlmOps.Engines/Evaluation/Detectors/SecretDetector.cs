using System.Text.RegularExpressions;

namespace LlmOps.Engines.Evaluation.Detectors;

/// <summary>
/// Finds credentials in a text: those with a form of their own (AWS, GitHub, GitLab, Slack, Google, Hugging Face, OpenAI, Stripe, JSON web tokens, private keys, passwords in
/// addresses) and long strings as random as a key. A secret that looks like a word is not found.
/// </summary>
public static partial class SecretDetector
{
    private const int ShortestRandom = 24;

    // 24 characters drawn from 64 have 4.1 bits on average (many of them differ); words and camel case stay below.
    private const double RandomBits = 4.0;

    // What none of the forms below does without: a long text has none of them more often than not, and twenty expressions need not look for themselves.
    private const int ShortestToken = 15;

    /// <summary>The credentials, in the order of the text.</summary>
    public static IReadOnlyList<DetectedSpan> Find(string text)
    {
        var (run, named, dashes) = Traits(text);
        if (run < ShortestToken && !named && !dashes)
            return [];
        List<DetectedSpan> found = [];
        if (dashes)
            Add(found, text, "private-key", PrivateKey());
        if (run >= ShortestToken)
            Add(found, text, "aws-access-key", AwsAccessKey());
        if (named)
            Add(found, text, "aws-secret-key", AwsSecretKey());
        if (run >= ShortestToken)
        {
            Add(found, text, "github-token", GitHub());
            Add(found, text, "gitlab-token", GitLab());
        }
        Add(found, text, "slack-token", Slack());
        if (run >= ShortestToken)
        {
            Add(found, text, "google-key", Google());
            Add(found, text, "huggingface-token", HuggingFace());
            Add(found, text, "stripe-key", Stripe());
            Add(found, text, "openai-key", OpenAi());
            Add(found, text, "jwt", Jwt());
        }
        if (named)
        {
            Add(found, text, "password-in-url", UrlPassword());
            Add(found, text, "named-secret", NamedSecret());
        }
        if (run >= ShortestRandom)
            found.AddRange(Random(text));
        return DetectedSpan.Apart(found);
    }

    /// <summary>Shannon's entropy of the characters' frequencies, bits per character.</summary>
    public static double Entropy(ReadOnlySpan<char> text)
    {
        var counts = new Dictionary<char, int>();
        foreach (var c in text)
            counts[c] = counts.GetValueOrDefault(c) + 1;
        var bits = 0.0;
        foreach (var count in counts.Values)
            bits -= count / (double)text.Length * Math.Log2(count / (double)text.Length);
        return bits;
    }

    /// <summary>The longest run of characters that keys are written with, whether anything could be a name with its value or an address, and whether there is a line of dashes.</summary>
    private static (int Run, bool Named, bool Dashes) Traits(string text)
    {
        var (longest, run, named) = (0, 0, false);
        foreach (var c in text)
        {
            named |= c is ':' or '=';
            run = char.IsAsciiLetterOrDigit(c) || c is '+' or '_' or '=' or '-' ? run + 1 : 0;
            longest = Math.Max(longest, run);
        }
        return (longest, named, text.Contains("-----", StringComparison.Ordinal));
    }

    private static void Add(List<DetectedSpan> found, string text, string kind, Regex form)
    {
        // Asked first, because the answer is no nearly always and costs no memory.
        if (form.IsMatch(text))
            found.AddRange(form.Matches(text).Select(m => m.Groups.Count > 1 ? m.Groups[1] : m).Select(g => new DetectedSpan(g.Index, g.Length, kind)));
    }

    // Digests in hexadecimal are everywhere and no secret, so upper case, lower case and digits must all occur.
    private static IEnumerable<DetectedSpan> Random(string text) =>
        from m in LongString().Matches(text)
        where m.Length >= ShortestRandom && m.Value.Any(char.IsAsciiLetterUpper) && m.Value.Any(char.IsAsciiLetterLower) && m.Value.Count(char.IsAsciiDigit) >= 2 && Entropy(m.Value) >= RandomBits
        select new DetectedSpan(m.Index, m.Length, "random-string");

    [GeneratedRegex("-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:[^-]*-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----)?")]
    private static partial Regex PrivateKey();

    [GeneratedRegex(@"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b|\bAKIA[0-9A-Z]{16}\b")]
    private static partial Regex AwsAccessKey();

    [GeneratedRegex("(?i)aws.{0,20}(?:secret|key).{0,20}?[=:]\\s*[\"']?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])")]
    private static partial Regex AwsSecretKey();

    [GeneratedRegex(@"\b(?:gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{22,255})\b")]
    private static partial Regex GitHub();

    [GeneratedRegex(@"\bgl(?:pat|dt|rt)-[A-Za-z0-9_-]{20,}")]
    private static partial Regex GitLab();

    [GeneratedRegex(@"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/]{20,}")]
    private static partial Regex Slack();

    [GeneratedRegex(@"\bAIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])")]
    private static partial Regex Google();

    [GeneratedRegex(@"\bhf_[A-Za-z0-9]{34}\b")]
    private static partial Regex HuggingFace();

    [GeneratedRegex(@"\b[sr]k_live_[A-Za-z0-9]{16,}\b")]
    private static partial Regex Stripe();

    [GeneratedRegex(@"\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{20,}")]
    private static partial Regex OpenAi();

    [GeneratedRegex(@"\beyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{16,}")]
    private static partial Regex Jwt();

    [GeneratedRegex(@"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{1,64}:([^\s/@]{3,128})@")]
    private static partial Regex UrlPassword();

    [GeneratedRegex("(?i)\\b(?:api[_-]?key|secret[_-]?key|access[_-]?token|client[_-]?secret|password|passwd)[\"']?\\s*[:=]\\s*[\"']?(?![<$%{*]|your|xxx|changeme)([^\\s\"',;]{8,})")]
    private static partial Regex NamedSecret();

    [GeneratedRegex("[A-Za-z0-9+_=-]{24,}")]
    private static partial Regex LongString();
}
