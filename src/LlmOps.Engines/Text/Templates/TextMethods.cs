using System.Globalization;
using System.Text;

namespace LlmOps.Engines.Text.Templates;

/// <summary>Python's methods of strings.</summary>
internal static class TextMethods
{
    /// <summary>What <c>str.strip()</c> takes away.</summary>
    public static readonly char[] Spaces = [.. Enumerable.Range(0, 0x3001).Select(c => (char)c).Where(IsSpace)];

    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    /// <summary>A method by name, or null.</summary>
    public static TemplateFunction? Find(MarkedText t, string name) => name switch
    {
        "strip" => (run, a) => Strip(t, Chars(run, a, 0), true, true),
        "lstrip" => (run, a) => Strip(t, Chars(run, a, 0), true, false),
        "rstrip" => (run, a) => Strip(t, Chars(run, a, 0), false, true),
        "upper" => (_, _) => t.WithText(t.Text.ToUpperInvariant()),
        "lower" => (_, _) => t.WithText(t.Text.ToLowerInvariant()),
        "title" => (_, _) => Title(t),
        "capitalize" => (_, _) => Capitalize(t),
        "startswith" => (run, a) => Any(run, a, p => t.Text.StartsWith(p, StringComparison.Ordinal)),
        "endswith" => (run, a) => Any(run, a, p => t.Text.EndsWith(p, StringComparison.Ordinal)),
        "replace" => (run, a) => Replace(run, t, Text(run, a, 0), Text(run, a, 1), Whole(run, a, 2, "count", -1)),
        "split" => (run, a) => Split(run, t, a.Get(0, "sep"), Whole(run, a, 1, "maxsplit", -1)),
        "rsplit" => (run, a) => RightSplit(run, t, a.Get(0, "sep"), Whole(run, a, 1, "maxsplit", -1)),
        "splitlines" => (run, _) => SplitLines(run, t),
        "find" => (run, a) => CodePointIndex(t.Text, t.Text.IndexOf(Text(run, a, 0).Text, StringComparison.Ordinal)),
        "rfind" => (run, a) => CodePointIndex(t.Text, t.Text.LastIndexOf(Text(run, a, 0).Text, StringComparison.Ordinal)),
        "count" => (run, a) => Text(run, a, 0) is { Length: > 0 } p ? (long)t.Text.AsSpan().Count(p.Text) : Length(t) + 1,
        "join" => (run, a) => Join(run, t, Sequences.Items(run, a.Get(0, "iterable"))),
        "removeprefix" => (run, a) => Text(run, a, 0) is var p && t.Text.StartsWith(p.Text, StringComparison.Ordinal) ? t.Slice(p.Length, t.Length - p.Length) : t,
        "removesuffix" => (run, a) => Text(run, a, 0) is var p && t.Text.EndsWith(p.Text, StringComparison.Ordinal) ? t.Slice(0, t.Length - p.Length) : t,
        "isdigit" => (_, _) => t.Length > 0 && t.Text.All(char.IsDigit),
        "isalpha" => (_, _) => t.Length > 0 && t.Text.All(char.IsLetter),
        "isalnum" => (_, _) => t.Length > 0 && t.Text.All(char.IsLetterOrDigit),
        "isspace" => (_, _) => t.Length > 0 && t.Text.All(IsSpace),
        "isupper" => (_, _) => t.Text.Any(char.IsUpper) && !t.Text.Any(char.IsLower),
        "islower" => (_, _) => t.Text.Any(char.IsLower) && !t.Text.Any(char.IsUpper),
        "format" => (run, a) => TextFormat.Braces(run, t, a),
        _ => null,
    };

    /// <summary>Characters as Python counts them: code points.</summary>
    public static long Length(MarkedText t) => t.Length - t.Text.Count(char.IsLowSurrogate);

    /// <summary>The texts of the single code points.</summary>
    public static List<object?> CodePoints(Execution run, MarkedText t)
    {
        run.Step(t.Length);
        var result = new List<object?>();
        for (var at = 0; at < t.Length;)
        {
            var width = char.IsSurrogatePair(t.Text, at) ? 2 : 1;
            result.Add(t.Slice(at, width));
            at += width;
        }
        return result;
    }

    public static MarkedText Strip(MarkedText t, char[]? chars, bool left, bool right)
    {
        chars ??= Spaces;
        var (start, end) = (0, t.Length);
        while (left && start < end && chars.Contains(t.Text[start]))
            start++;
        while (right && end > start && chars.Contains(t.Text[end - 1]))
            end--;
        return t.Slice(start, end - start);
    }

    public static MarkedText Title(MarkedText t)
    {
        var result = new StringBuilder(t.Length);
        foreach (var c in t.Text)
            result.Append(result.Length > 0 && char.IsLetter(t.Text[result.Length - 1]) ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c));
        return t.WithText(result.ToString());
    }

    public static MarkedText Capitalize(MarkedText t) =>
        t.Length == 0 ? t : t.WithText(char.ToUpperInvariant(t.Text[0]) + t.Text[1..].ToLowerInvariant());

    public static MarkedText Replace(Execution run, MarkedText t, MarkedText old, MarkedText with, long count)
    {
        var result = new MarkedText.Builder();
        var at = 0;
        for (var done = 0L; count < 0 || done < count; done++)
        {
            // An empty text is found before each character and at the end.
            var found = old.Length == 0 ? (done == 0 ? 0 : at + 1) : t.Text.IndexOf(old.Text, at, StringComparison.Ordinal);
            if (found < 0 || found > t.Length)
                break;
            run.Step();
            run.Spend(found - at + with.Length);
            result.Append(t, at, found - at);
            result.Append(with);
            at = found + old.Length;
        }
        run.Spend(t.Length - at);
        result.Append(t, at, t.Length - at);
        return result.ToText();
    }

    public static MarkedText Join(Execution run, MarkedText separator, IEnumerable<object?> items)
    {
        var result = new MarkedText.Builder();
        var first = true;
        foreach (var item in items)
        {
            var text = TemplateValue.ToText(run, item);
            run.Step();
            run.Spend(text.Length + separator.Length);
            if (!first)
                result.Append(separator);
            result.Append(text);
            first = false;
        }
        return result.ToText();
    }

    public static MarkedText Text(Execution run, Arguments a, int index) => a.Values.ElementAtOrDefault(index) as MarkedText
        ?? throw run.Fail($"argument {index + 1} must be text, not {(index < a.Values.Count ? TemplateValue.KindOf(a.Values[index]) : "missing")}.");

    public static long Whole(Execution run, Arguments a, int index, string name, long fallback) => a.Get(index, name, fallback) switch
    {
        long n => n,
        bool b => b ? 1 : 0,
        null => fallback,
        var v => throw run.Fail($"{name} must be a whole number, not {TemplateValue.KindOf(v)}."),
    };

    public static char[]? Chars(Execution run, Arguments a, int index) => a.Values.Count > index && a.Values[index] is not null ? Text(run, a, index).Text.ToCharArray() : null;

    private static object Any(Execution run, Arguments a, Func<string, bool> holds) => a.Get(0, "prefix") switch
    {
        MarkedText t => holds(t.Text),
        List<object?> list => list.Exists(p => p is MarkedText t && holds(t.Text)),
        _ => Text(run, a, 0),
    };

    private static List<object?> Split(Execution run, MarkedText t, object? separator, long most)
    {
        run.Step(t.Length / 8);
        run.Spend(t.Length);
        var parts = new List<object?>();
        if (separator is MarkedText { Length: 0 })
            throw run.Fail("split needs a separator that is not empty.");
        if (separator is MarkedText s)
        {
            var from = 0;
            for (int found; (most < 0 || parts.Count < most) && (found = t.Text.IndexOf(s.Text, from, StringComparison.Ordinal)) >= 0; from = found + s.Length)
                parts.Add(t.Slice(from, found - from));
            parts.Add(t.Slice(from, t.Length - from));
            return parts;
        }
        for (var at = 0; at < t.Length;)
        {
            while (at < t.Length && IsSpace(t.Text[at]))
                at++;
            if (at == t.Length)
                break;
            var start = at;
            while (at < t.Length && (!IsSpace(t.Text[at]) || (most >= 0 && parts.Count >= most)))
                at++;
            parts.Add(t.Slice(start, at - start));
        }
        return parts;
    }

    private static List<object?> RightSplit(Execution run, MarkedText t, object? separator, long most)
    {
        var all = Split(run, t, separator, -1);
        if (most < 0 || all.Count - 1 <= most)
            return all;
        if (separator is not MarkedText s)
            throw TemplateError.Unsupported(run.Line, "rsplit with a limit needs a separator.");
        var kept = all.TakeLast((int)most).ToList();
        var end = t.Length - kept.Sum(p => ((MarkedText)p!).Length + s.Length);
        return [t.Slice(0, end), .. kept];
    }

    private static List<object?> SplitLines(Execution run, MarkedText t)
    {
        run.Spend(t.Length);
        var lines = new List<object?>();
        for (var at = 0; at < t.Length;)
        {
            var end = t.Text.AsSpan(at).IndexOfAny('\n', '\r') is var found && found < 0 ? t.Length : at + found;
            lines.Add(t.Slice(at, end - at));
            at = end + (end + 1 < t.Length && t.Text[end] == '\r' && t.Text[end + 1] == '\n' ? 2 : 1);
        }
        return lines;
    }

    private static long CodePointIndex(string text, int index) => index < 0 ? index : index - text.AsSpan(0, index).ToArray().Count(char.IsLowSurrogate);
}
