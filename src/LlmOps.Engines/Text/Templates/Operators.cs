namespace LlmOps.Engines.Text.Templates;

/// <summary>Python's operators on the values of a template.</summary>
internal static class Operators
{
    public static object? Binary(Execution run, string op, object? a, object? b)
    {
        if (op == "~")
            return Concat(run, TemplateValue.ToText(run, a), TemplateValue.ToText(run, b));
        if (a is Undefined || b is Undefined)
            throw Sequences.Missing(run, a is Undefined ? a : b);
        return (op, a, b) switch
        {
            ("+", MarkedText x, MarkedText y) => Concat(run, x, y),
            ("+", List<object?> x, List<object?> y) => Joined(run, x, y),
            ("%", MarkedText x, _) => TextFormat.Percent(run, x, b is TemplateTuple several ? several : [b]),
            ("*", MarkedText x, long n) => Times(run, x, n),
            ("*", long n, MarkedText x) => Times(run, x, n),
            (_, bool or long, bool or long) => Whole(run, op, TemplateValue.Whole(a), TemplateValue.Whole(b)),
            (_, bool or long or double, bool or long or double) => Real(run, op, TemplateValue.Number(a), TemplateValue.Number(b)),
            _ => throw run.Fail($"{TemplateValue.KindOf(a)} {op} {TemplateValue.KindOf(b)} is not possible."),
        };
    }

    public static bool Compare(Execution run, string op, object? a, object? b) => op switch
    {
        "==" => TemplateValue.AreEqual(run, a, b),
        "!=" => !TemplateValue.AreEqual(run, a, b),
        "in" => Sequences.Contains(run, b, a),
        "not in" => !Sequences.Contains(run, b, a),
        "<" => Order(run, a, b) < 0,
        "<=" => Order(run, a, b) <= 0,
        ">" => Order(run, a, b) > 0,
        _ => Order(run, a, b) >= 0,
    };

    /// <summary>Which of two numbers, texts or lists comes first.</summary>
    public static int Order(Execution run, object? a, object? b)
    {
        run.Step();
        return Ordered(run, a, b);
    }

    private static int Ordered(Execution run, object? a, object? b) => (a, b) switch
    {
        (MarkedText x, MarkedText y) => string.CompareOrdinal(x.Text, y.Text),
        (long x, long y) => x.CompareTo(y),
        (bool or long or double, bool or long or double) => TemplateValue.Number(a).CompareTo(TemplateValue.Number(b)),
        (List<object?> x, List<object?> y) => x.Zip(y).Select(p => Order(run, p.First, p.Second)).FirstOrDefault(o => o != 0) is var o && o != 0 ? o : x.Count.CompareTo(y.Count),
        (Undefined, _) => throw Sequences.Missing(run, a),
        (_, Undefined) => throw Sequences.Missing(run, b),
        _ => throw run.Fail($"{TemplateValue.KindOf(a)} and {TemplateValue.KindOf(b)} have no order."),
    };

    public static object Negative(Execution run, object? value) => value switch
    {
        long n => (object)-n,
        bool b => b ? -1L : 0L,
        double d => -d,
        _ => throw run.Fail($"-{TemplateValue.KindOf(value)} is not possible."),
    };

    public static MarkedText Concat(Execution run, MarkedText a, MarkedText b)
    {
        run.Spend(a.Length + b.Length);
        if (a.Length == 0 || b.Length == 0)
            return a.Length == 0 ? b : a;
        var both = new MarkedText.Builder();
        both.Append(a);
        both.Append(b);
        return both.ToText();
    }

    private static List<object?> Joined(Execution run, List<object?> a, List<object?> b)
    {
        run.Step(a.Count + b.Count);
        return [.. a, .. b];
    }

    private static MarkedText Times(Execution run, MarkedText text, long times)
    {
        if (text.Length == 0 || times <= 0)
            return MarkedText.Empty;
        run.Spend(times > int.MaxValue ? int.MaxValue : times * text.Length);
        run.Step(times);
        var all = new MarkedText.Builder();
        for (var i = 0L; i < times; i++)
            all.Append(text);
        return all.ToText();
    }

    private static object Whole(Execution run, string op, long a, long b)
    {
        try
        {
            return op switch
            {
                "+" => (object)checked(a + b),
                "-" => checked(a - b),
                "*" => checked(a * b),
                "/" when b != 0 => a / (double)b,
                "//" when b != 0 => checked(a / b) - (a % b != 0 && a < 0 != b < 0 ? 1 : 0),
                "%" when b != 0 => b == -1 ? 0L : a % b is var r && r != 0 && r < 0 != b < 0 ? r + b : a % b,
                "**" when b >= 0 => Power(a, b),
                "**" => Math.Pow(a, b),
                _ => throw run.Fail("division by zero."),
            };
        }
        catch (OverflowException)
        {
            throw TemplateError.Unsupported(run.Line, $"{a} {op} {b} is too large.");
        }
    }

    private static long Power(long a, long b)
    {
        if (a is 0 or 1 or -1)
            return b == 0 || a == 1 ? 1 : a == 0 ? 0 : b % 2 == 0 ? 1 : -1;
        var result = 1L;
        for (; b > 0; b--) // overflows after at most 64 rounds
            result = checked(result * a);
        return result;
    }

    private static object Real(Execution run, string op, double a, double b) => op switch
    {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "**" => Math.Pow(a, b),
        "/" when b != 0 => a / b,
        "//" when b != 0 => Math.Floor(a / b),
        "%" when b != 0 => a - b * Math.Floor(a / b),
        _ => throw run.Fail("division by zero."),
    };
}
