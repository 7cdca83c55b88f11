using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace LlmOps.Engines.Evaluation.Detectors;

/// <summary>
/// Finds personal data with a form of its own: e-mail addresses, telephone numbers, IBANs and payment cards whose check digits are right, US social security numbers that
/// could be issued, and IP addresses other than those of the machine itself. Names and postal addresses have no such form and are not found.
/// </summary>
public static partial class PersonalDataDetector
{
    /// <summary>What is found, in the order of the text.</summary>
    public static IReadOnlyList<DetectedSpan> Find(string text)
    {
        // What each form needs at least is counted once; most texts have too little for any of them.
        var (digits, dots, colons, ats) = (0, 0, 0, 0);
        foreach (var c in text)
            if (char.IsAsciiDigit(c))
                digits++;
            else if (c == '.')
                dots++;
            else if (c == ':')
                colons++;
            else if (c == '@')
                ats++;
        List<DetectedSpan> found = [];
        if (ats > 0)
            Add(found, text, "email", Email(), _ => true);
        if (digits >= 2)
            Add(found, text, "iban", Iban(), IsIban);
        if (digits >= 13)
            Add(found, text, "payment-card", Card(), IsCard);
        if (digits >= 9)
            Add(found, text, "us-ssn", Ssn(), _ => true);
        if (digits >= 4 && dots >= 3)
            Add(found, text, "ip-address", IpV4(), IsForeignAddress);
        if (colons >= 2)
            Add(found, text, "ip-address", IpV6(), IsForeignAddress);
        if (digits >= 8)
            Add(found, text, "phone", Phone(), IsPhone);
        return found.Count == 0 ? [] : DetectedSpan.Apart(found);
    }

    /// <summary>ISO 13616: country and check digits moved to the end, letters as 10 to 35, the number modulo 97 is 1.</summary>
    public static bool IsIban(string text)
    {
        var compact = text.Replace(" ", "", StringComparison.Ordinal);
        if (compact.Length is < 15 or > 34 || !compact.All(char.IsAsciiLetterOrDigit))
            return false;
        var remainder = 0;
        foreach (var c in compact[4..] + compact[..4])
        {
            var value = char.IsAsciiDigit(c) ? c - '0' : char.ToUpperInvariant(c) - 'A' + 10;
            remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
        }
        return remainder == 1;
    }

    /// <summary>ISO/IEC 7812: 13 to 19 digits that begin as cards do, and Luhn's sum is a multiple of ten.</summary>
    public static bool IsCard(string text)
    {
        var digits = text.Where(char.IsAsciiDigit).Select(c => c - '0').ToArray();
        if (digits.Length is < 13 or > 19 || digits[0] is < 2 or > 6 || digits.Distinct().Count() == 1)
            return false;
        var sum = 0;
        for (var i = 0; i < digits.Length; i++)
        {
            var digit = digits[^(i + 1)];
            sum += i % 2 == 0 ? digit : digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        }
        return sum % 10 == 0;
    }

    private static void Add(List<DetectedSpan> found, string text, string kind, Regex form, Func<string, bool> holds)
    {
        // Asked first, because the answer is no nearly always and costs no memory.
        if (form.IsMatch(text))
            found.AddRange(form.Matches(text).Where(m => holds(m.Value)).Select(m => new DetectedSpan(m.Index, m.Length, kind)));
    }

    private static bool IsForeignAddress(string text) =>
        IPAddress.TryParse(text, out var address) && !IPAddress.IsLoopback(address) && !address.Equals(IPAddress.Any) && !address.Equals(IPAddress.IPv6Any) && !address.Equals(IPAddress.Broadcast)
        && text.Count(c => c == (address.AddressFamily == AddressFamily.InterNetwork ? '.' : ':')) >= 2; // A bare number is an address to the parser.

    private static bool IsPhone(string text) => text.Count(char.IsAsciiDigit) is >= 8 and <= 15;

    [GeneratedRegex(@"\b[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}\b")]
    private static partial Regex Email();

    [GeneratedRegex(@"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")]
    private static partial Regex Iban();

    [GeneratedRegex(@"(?<![0-9+])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])")]
    private static partial Regex Card();

    // Areas 000, 666 and 900 on, group 00 and serial 0000 are never issued.
    [GeneratedRegex(@"(?<![0-9-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![0-9-])")]
    private static partial Regex Ssn();

    [GeneratedRegex(@"(?<![0-9.])(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(?![0-9]|\.[0-9])")]
    private static partial Regex IpV4();

    // The parser knows the form; a colon of the sentence may follow.
    [GeneratedRegex("(?<![0-9A-Za-z:])[0-9A-Fa-f:]{2,39}(?![0-9A-Za-z]|:[0-9A-Fa-f:])")]
    private static partial Regex IpV6();

    // With a country code, or in the North American form: bare digits may be anything.
    [GeneratedRegex(@"(?<![0-9A-Za-z])(?:\+[1-9][0-9]{0,2}(?:[ .-]?\(?[0-9]{1,5}\)?){2,6}|\(?[2-9][0-9]{2}\)?[ .-][2-9][0-9]{2}[.-][0-9]{4})(?![0-9])")]
    private static partial Regex Phone();
}
