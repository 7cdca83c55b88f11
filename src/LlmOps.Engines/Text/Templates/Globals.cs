using System.Globalization;
using System.Text;

namespace LlmOps.Engines.Text.Templates;

/// <summary>Functions that every template can call.</summary>
internal static class Globals
{
    private const long MaxRange = 1_000_000;

    public static Scope Make()
    {
        var scope = new Scope(null);
        scope.Set("raise_exception", (TemplateFunction)((run, a) => throw new ArgumentException(TemplateValue.ToText(run, a.Get(0, "message")).Text)));
        scope.Set("strftime_now", (TemplateFunction)((run, a) => new MarkedText(Format(run, TextMethods.Text(run, a, 0).Text))));
        scope.Set("range", (TemplateFunction)Range);
        scope.Set("namespace", (TemplateFunction)((run, a) => Dictionary(run, a, isNamespace: true)));
        scope.Set("dict", (TemplateFunction)((run, a) => Dictionary(run, a, isNamespace: false)));
        return scope;
    }

    private static object Range(Execution run, Arguments a)
    {
        if (a.Values.Count is 0 or > 3)
            throw run.Fail("range takes 1 to 3 numbers.");
        var numbers = a.Values.Select((_, i) => TextMethods.Whole(run, a, i, "range", 0)).ToList();
        var (start, stop, step) = numbers.Count == 1 ? (0, numbers[0], 1) : (numbers[0], numbers[1], numbers.Count == 3 ? numbers[2] : 1);
        if (step == 0)
            throw run.Fail("range's step must not be 0.");
        var count = Math.Max(0, Math.Ceiling(((double)stop - start) / step));
        if (count > MaxRange)
            throw TemplateError.Unsupported(run.Line, $"range gives more than {MaxRange} numbers.");
        run.Step((long)count);
        var result = new List<object?>();
        for (var i = 0; i < (int)count; i++)
            result.Add(start + i * step);
        return result;
    }

    private static TemplateDictionary Dictionary(Execution run, Arguments a, bool isNamespace)
    {
        var dictionary = new TemplateDictionary(isNamespace);
        if (a.Values.Count > 0)
        {
            var source = a.Values[0] is TemplateDictionary d ? Sequences.Pairs(run, d) : Sequences.Items(run, a.Values[0]);
            foreach (var pair in source)
                dictionary.Set(pair is List<object?> { Count: 2 } two ? two[0] : throw run.Fail("a dictionary is made of pairs."), ((List<object?>)pair)[1]);
        }
        foreach (var (name, value) in a.Named)
            dictionary.Set(name, value);
        return dictionary;
    }

    // Python's strftime in the C locale.
    private static string Format(Execution run, string format)
    {
        var text = new StringBuilder();
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }
            var unpadded = format[++i] == '-' && i + 1 < format.Length;
            i += unpadded ? 1 : 0;
            var part = Part(run.Now, format[i]) ?? throw TemplateError.Unsupported(run.Line, $"%{format[i]} in a time format is not supported.");
            text.Append(unpadded && part.TrimStart('0') is { Length: > 0 } bare ? bare : part);
        }
        return text.ToString();
    }

    private static string? Part(DateTimeOffset now, char code) => code switch
    {
        'Y' => now.Year.ToString("0000", CultureInfo.InvariantCulture),
        'j' => now.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
        'F' => Net(now, "yyyy-MM-dd"),
        'T' => Net(now, "HH:mm:ss"),
        'D' => Net(now, "MM/dd/yy"),
        'R' => Net(now, "HH:mm"),
        'c' => Net(now, "ddd MMM ") + now.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2) + Net(now, " HH:mm:ss yyyy"),
        'x' => Net(now, "MM/dd/yy"),
        'X' => Net(now, "HH:mm:ss"),
        'e' => now.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
        'u' => (now.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)now.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'w' => ((int)now.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'f' => Net(now, "ffffff"),
        's' => now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
        'y' => Net(now, "yy"), 'm' => Net(now, "MM"), 'd' => Net(now, "dd"), 'H' => Net(now, "HH"), 'I' => Net(now, "hh"), 'M' => Net(now, "mm"), 'S' => Net(now, "ss"),
        'b' or 'h' => Net(now, "MMM"), 'B' => Net(now, "MMMM"), 'a' => Net(now, "ddd"), 'A' => Net(now, "dddd"), 'p' => Net(now, "tt"),
        'z' => Net(now, "zzz").Replace(":", "", StringComparison.Ordinal),
        'Z' => now.Offset == TimeSpan.Zero ? "UTC" : Net(now, "zzz"),
        'n' => "\n", 't' => "\t", '%' => "%",
        _ => null,
    };

    private static string Net(DateTimeOffset now, string format) => now.ToString(format, CultureInfo.InvariantCulture);
}
