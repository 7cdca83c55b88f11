using System.Globalization;
using System.Text;
using System.Text.Json;

namespace LlmOps.Engines.Text.Templates;

/// <summary>A name without a value, and which name it was.</summary>
internal sealed record Undefined(string Name);

/// <summary>A function, filter result or method that can be called.</summary>
internal delegate object? TemplateFunction(Execution run, Arguments arguments);

/// <summary>Values of a call by position and by name.</summary>
internal sealed record Arguments(IReadOnlyList<object?> Values, IReadOnlyDictionary<string, object?> Named)
{
    public static Arguments None { get; } = new([], new Dictionary<string, object?>());

    /// <summary>An argument by position or name, or what is taken when it is absent.</summary>
    public object? Get(int index, string name, object? fallback = null) =>
        index < Values.Count ? Values[index] : Named.TryGetValue(name, out var value) ? value : fallback;
}

/// <summary>
/// What Python does with the values of a template. They are null (None), <see cref="Undefined"/>, bool, long, double, <see cref="MarkedText"/>,
/// <see cref="List{T}"/>, <see cref="TemplateDictionary"/> and <see cref="TemplateFunction"/>; nothing of .NET can be reached from them.
/// </summary>
internal static class TemplateValue
{
    private const int MaxDepth = 100;

    /// <summary>A JSON value, its texts marked as content.</summary>
    public static object? From(JsonElement value, Marks marks) => value.ValueKind switch
    {
        JsonValueKind.String => new MarkedText(value.GetString()!, marks),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Number => value.TryGetInt64(out var whole) ? (object)whole : value.GetDouble(),
        JsonValueKind.Array => value.EnumerateArray().Select(v => From(v, marks)).ToList(),
        JsonValueKind.Object => TemplateDictionary.From(value.EnumerateObject().Select(p => (p.Name, From(p.Value, marks))), marks),
        _ => null,
    };

    public static bool IsTrue(object? value) => value switch
    {
        null or Undefined => false,
        bool b => b,
        long n => n != 0,
        double d => d != 0,
        MarkedText t => t.Length > 0,
        List<object?> list => list.Count > 0,
        TemplateDictionary d => d.Count > 0 || d.IsNamespace,
        _ => true,
    };

    public static bool AreEqual(Execution run, object? a, object? b, int depth = 0) => (a, b) switch
    {
        (null, null) or (Undefined, Undefined) => true,
        (MarkedText x, MarkedText y) => x.Text == y.Text,
        (long x, long y) => x == y,
        (bool or long or double, bool or long or double) => Number(a) == Number(b),
        (List<object?> x, List<object?> y) => x is TemplateTuple == y is TemplateTuple && x.Count == y.Count && Enter(run, depth, x.Count) && x.Zip(y).All(p => AreEqual(run, p.First, p.Second, depth + 1)),
        (TemplateDictionary x, TemplateDictionary y) => x.Count == y.Count && Enter(run, depth, x.Count)
            && x.Entries.All(e => y.TryGet(e.Key, out var other) && AreEqual(run, e.Value, other, depth + 1)),
        _ => ReferenceEquals(a, b),
    };

    // Lists that hold lists more than once have more parts than there are objects.
    private static bool Enter(Execution run, int depth, int count)
    {
        run.Step(count);
        return depth < MaxDepth;
    }

    public static double Number(object? value) => value switch { bool b => b ? 1 : 0, long n => n, double d => d, _ => double.NaN };

    /// <summary>A whole number, or 0 or 1 of a boolean.</summary>
    public static long Whole(object? value) => value switch { long n => n, true => 1, _ => 0 };

    public static string KindOf(object? value) => value switch
    {
        null => "none",
        Undefined => "undefined",
        bool => "a boolean",
        long => "a whole number",
        double => "a number",
        MarkedText => "text",
        List<object?> => "a list",
        TemplateDictionary => "a dictionary",
        _ => "a function",
    };

    /// <summary>As <c>str(value)</c>.</summary>
    public static MarkedText ToText(Execution run, object? value) => value switch
    {
        MarkedText t => t,
        Undefined => MarkedText.Empty,
        List<object?> or TemplateDictionary => Represent(run, value),
        _ => new MarkedText(Scalar(value)),
    };

    /// <summary>As <c>repr(value)</c>; content in it makes all of it content.</summary>
    public static MarkedText Represent(Execution run, object? value)
    {
        var text = new StringBuilder();
        var marks = Marks.None;
        Represent(run, value, text, ref marks, 0);
        return new MarkedText(text.ToString(), marks);
    }

    public static string Scalar(object? value) => value switch
    {
        null => "None",
        bool b => b ? "True" : "False",
        long n => n.ToString(CultureInfo.InvariantCulture),
        double d => Float(d),
        _ => "<function>",
    };

    private static void Represent(Execution run, object? value, StringBuilder text, ref Marks marks, int depth)
    {
        run.Step();
        run.Spend(value is MarkedText { Length: var length } ? length : 8);
        switch (value)
        {
            case MarkedText t:
                marks |= t.All;
                // Python takes double quotes only when the text has single ones and no double ones.
                var quote = t.Text.Contains('\'') && !t.Text.Contains('"') ? '"' : '\'';
                text.Append(quote);
                foreach (var c in t.Text)
                    _ = c switch
                    {
                        '\\' => text.Append("\\\\"),
                        '\n' => text.Append("\\n"),
                        '\r' => text.Append("\\r"),
                        '\t' => text.Append("\\t"),
                        _ when c == quote => text.Append('\\').Append(c),
                        < ' ' or '\x7f' => text.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}"),
                        _ => text.Append(c),
                    };
                text.Append(quote);
                break;
            case List<object?> or TemplateDictionary when depth >= MaxDepth:
                text.Append("[...]");
                break;
            case List<object?> list:
                text.Append(list is TemplateTuple ? '(' : '[');
                foreach (var (i, item) in list.Index())
                {
                    text.Append(i > 0 ? ", " : "");
                    Represent(run, item, text, ref marks, depth + 1);
                }
                text.Append(list is TemplateTuple ? list.Count == 1 ? ",)" : ")" : "]");
                break;
            case TemplateDictionary dictionary:
                text.Append('{');
                foreach (var (i, (key, item)) in dictionary.Entries.Index())
                {
                    text.Append(i > 0 ? ", " : "");
                    Represent(run, key, text, ref marks, depth + 1);
                    text.Append(": ");
                    Represent(run, item, text, ref marks, depth + 1);
                }
                text.Append('}');
                break;
            case Undefined:
                text.Append("Undefined");
                break;
            default:
                text.Append(Scalar(value));
                break;
        }
    }

    // The shortest digits that give the number back, with an exponent from 1e16 on and below 1e-4, as Python writes them.
    private static string Float(double d)
    {
        if (double.IsNaN(d))
            return "nan";
        if (double.IsInfinity(d))
            return d > 0 ? "inf" : "-inf";
        var text = d.ToString("R", CultureInfo.InvariantCulture);
        if (text.Contains('E', StringComparison.Ordinal) && Math.Abs(d) is < 1e16 and >= 1)
            text = d.ToString("F0", CultureInfo.InvariantCulture);
        return text.Contains('E', StringComparison.Ordinal) ? text.Replace('E', 'e') : text.Contains('.', StringComparison.Ordinal) ? text : text + ".0";
    }
}
