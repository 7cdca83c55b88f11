using System.Globalization;

namespace LlmOps.Engines.Text.Templates;

/// <summary>Jinja's filters; the value filtered comes first.</summary>
internal static class Filters
{
    public static bool Exists(string name) => All.ContainsKey(name);

    public static object? Apply(Execution run, string name, object? value, Arguments a) => All[name](run, value, a);

    private static readonly Dictionary<string, Func<Execution, object?, Arguments, object?>> All = new(StringComparer.Ordinal)
    {
        ["abs"] = (run, v, _) => v switch { long n => (object)Math.Abs(n), double d => Math.Abs(d), _ => throw run.Fail($"{TemplateValue.KindOf(v)} has no absolute value.") },
        ["attr"] = (run, v, a) => Sequences.Attribute(run, v, TextMethods.Text(run, a, 0).Text),
        ["capitalize"] = (run, v, _) => TextMethods.Capitalize(TemplateValue.ToText(run, v)),
        ["count"] = (run, v, _) => Sequences.Length(run, v),
        ["d"] = (_, v, a) => Default(v, a),
        ["default"] = (_, v, a) => Default(v, a),
        ["dictsort"] = DictSort,
        ["e"] = (run, v, _) => Escape(run, TemplateValue.ToText(run, v)),
        ["escape"] = (run, v, _) => Escape(run, TemplateValue.ToText(run, v)),
        ["first"] = (run, v, _) => Sequences.Items(run, v) is { Count: > 0 } items ? items[0] : new Undefined("first"),
        ["float"] = (_, v, a) => ToFloat(v, a),
        ["format"] = (run, v, a) => TextFormat.Percent(run, TemplateValue.ToText(run, v), a.Values),
        ["indent"] = Indent,
        ["int"] = (_, v, a) => ToInt(v, a),
        ["items"] = (run, v, _) => v is TemplateDictionary d ? Sequences.Pairs(run, d) : v is Undefined ? new List<object?>() : throw run.Fail($"{TemplateValue.KindOf(v)} has no items."),
        ["join"] = (run, v, a) => TextMethods.Join(run, TemplateValue.ToText(run, a.Get(0, "d", MarkedText.Empty)), Pick(run, Sequences.Items(run, v), a.Get(1, "attribute"))),
        ["last"] = (run, v, _) => Sequences.Items(run, v) is { Count: > 0 } items ? items[^1] : new Undefined("last"),
        ["length"] = (run, v, _) => Sequences.Length(run, v),
        ["list"] = (run, v, _) => Sequences.Items(run, v).ToList(),
        ["lower"] = (run, v, _) => TemplateValue.ToText(run, v) is var t ? t.WithText(t.Text.ToLowerInvariant()) : null,
        ["map"] = Map,
        ["max"] = (run, v, a) => Extreme(run, v, a, 1),
        ["min"] = (run, v, a) => Extreme(run, v, a, -1),
        ["reject"] = (run, v, a) => Select(run, v, a, 0, false),
        ["rejectattr"] = (run, v, a) => Select(run, v, a, 1, false),
        ["replace"] = (run, v, a) => TextMethods.Replace(run, TemplateValue.ToText(run, v), TextMethods.Text(run, a, 0), TextMethods.Text(run, a, 1), TextMethods.Whole(run, a, 2, "count", -1)),
        ["reverse"] = (run, v, _) => v is MarkedText ? Sequences.Slice(run, v, null, null, -1L) : Sequences.Items(run, v).AsEnumerable().Reverse().ToList(),
        ["round"] = Round,
        ["safe"] = (_, v, _) => v,
        ["select"] = (run, v, a) => Select(run, v, a, 0, true),
        ["selectattr"] = (run, v, a) => Select(run, v, a, 1, true),
        ["sort"] = Sort,
        ["string"] = (run, v, _) => TemplateValue.ToText(run, v),
        ["sum"] = (run, v, a) => Pick(run, Sequences.Items(run, v), a.Get(0, "attribute")).Aggregate(a.Get(1, "start", 0L), (sum, x) => Operators.Binary(run, "+", sum, x)),
        ["title"] = (run, v, _) => TextMethods.Title(TemplateValue.ToText(run, v)),
        ["tojson"] = JsonOutput.Write,
        ["trim"] = (run, v, a) => TextMethods.Strip(TemplateValue.ToText(run, v), TextMethods.Chars(run, a, 0), true, true),
        ["unique"] = Unique,
        ["upper"] = (run, v, _) => TemplateValue.ToText(run, v) is var t ? t.WithText(t.Text.ToUpperInvariant()) : null,
    };

    private static object? Default(object? v, Arguments a) =>
        v is Undefined || (TemplateValue.IsTrue(a.Get(1, "boolean", false)) && !TemplateValue.IsTrue(v)) ? a.Get(0, "default_value", MarkedText.Empty) : v;

    private static object? ToInt(object? v, Arguments a)
    {
        switch (v)
        {
            case long or bool:
                return TemplateValue.Whole(v);
            case double d when Math.Abs(d) < 9e18:
                return (long)d;
            case MarkedText t when long.TryParse(t.Text.Trim().Replace("_", "", StringComparison.Ordinal), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole):
                return whole;
            case MarkedText t when double.TryParse(t.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var d) && Math.Abs(d) < 9e18:
                return (long)d;
            default:
                return a.Get(0, "default", 0L);
        }
    }

    private static object? ToFloat(object? v, Arguments a) => v switch
    {
        long or bool or double => TemplateValue.Number(v),
        MarkedText t when double.TryParse(t.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var d) => d,
        _ => a.Get(0, "default", 0.0),
    };

    private static object? Round(Execution run, object? v, Arguments a)
    {
        var digits = (int)Math.Clamp(TextMethods.Whole(run, a, 0, "precision", 0), 0, 15);
        if (v is not (long or double or bool))
            throw run.Fail($"{TemplateValue.KindOf(v)} cannot be rounded.");
        if (v is long or bool && a.Get(1, "method") is null)
            return TemplateValue.Whole(v);
        var (number, scale) = (TemplateValue.Number(v), Math.Pow(10, digits));
        return a.Get(1, "method") is MarkedText { Text: "ceil" or "floor" } m
            ? (m.Text == "ceil" ? Math.Ceiling(number * scale) : Math.Floor(number * scale)) / scale
            : Math.Round(number, digits, MidpointRounding.ToEven);
    }

    private static object? Indent(Execution run, object? v, Arguments a)
    {
        if (v is not MarkedText text)
            throw run.Fail($"indent needs text, not {TemplateValue.KindOf(v)}.");
        var by = a.Get(0, "width", 4L) switch { long n => new string(' ', (int)Math.Clamp(n, 0, 1000)), MarkedText t => t.Text, _ => throw run.Fail("indent needs a width.") };
        var (first, blank) = (TemplateValue.IsTrue(a.Get(1, "first", false)), TemplateValue.IsTrue(a.Get(2, "blank", false)));
        var result = new MarkedText.Builder();
        var indent = new MarkedText(by);
        for (var at = 0; at <= text.Length;)
        {
            var end = text.Text.IndexOf('\n', at) is var found && found < 0 ? text.Length : found + 1;
            var isBlank = end == at || text.Text[at] == '\n';
            run.Spend(end - at + by.Length);
            run.Step();
            if ((at > 0 || first) && (!isBlank || blank))
                result.Append(indent);
            result.Append(text, at, end - at);
            if (end == text.Length && (end == at || text.Text[end - 1] != '\n'))
                break;
            at = end;
        }
        return result.ToText();
    }

    private static MarkedText Escape(Execution run, MarkedText text)
    {
        foreach (var (from, to) in new[] { ("&", "&amp;"), (">", "&gt;"), ("<", "&lt;"), ("'", "&#39;"), ("\"", "&#34;") })
            text = TextMethods.Replace(run, text, new MarkedText(from), new MarkedText(to), -1);
        return text;
    }

    private static object? Map(Execution run, object? v, Arguments a)
    {
        var items = Sequences.Items(run, v);
        if (a.Values.Count == 0)
            return Pick(run, items, a.Get(0, "attribute") ?? throw run.Fail("map needs the name of a filter or an attribute."), a.Get(1, "default")).ToList();
        var name = TextMethods.Text(run, a, 0).Text;
        if (!Exists(name))
            throw TemplateError.Unsupported(run.Line, $"the filter '{name}' is not supported.");
        var rest = new Arguments([.. a.Values.Skip(1)], a.Named);
        return items.Select(i => Apply(run, name, i, rest)).ToList();
    }

    private static List<object?> Select(Execution run, object? v, Arguments a, int first, bool wanted)
    {
        var items = Sequences.Items(run, v);
        var attribute = first == 1 ? a.Get(0, "attribute") : null;
        var test = a.Values.Count > first ? TextMethods.Text(run, a, first).Text : null;
        if (test is not null && !Tests.Exists(test))
            throw TemplateError.Unsupported(run.Line, $"the test '{test}' is not supported.");
        var rest = new Arguments([.. a.Values.Skip(first + 1)], a.Named);
        return [.. items.Where(i =>
        {
            var value = attribute is null ? i : Pick(run, [i], attribute).First();
            return (test is null ? TemplateValue.IsTrue(value) : Tests.Holds(run, test, value, rest)) == wanted;
        })];
    }

    // Attributes of attributes are named with points: "function.name".
    private static IEnumerable<object?> Pick(Execution run, IEnumerable<object?> items, object? attribute, object? fallback = null)
    {
        if (attribute is null)
            return items;
        var path = attribute is long index ? [(object)index] : TemplateValue.ToText(run, attribute).Text.Split('.').Select(p => (object)new MarkedText(p)).ToArray();
        return items.Select(i =>
        {
            foreach (var part in path)
                i = Sequences.Item(run, i, part);
            return i is Undefined && fallback is not null ? fallback : i;
        });
    }

    private static object? Extreme(Execution run, object? v, Arguments a, int sign)
    {
        var items = Sequences.Items(run, v);
        var keys = Pick(run, items, a.Get(1, "attribute")).Select(Folded).ToList();
        if (items.Count == 0)
            return new Undefined("max");
        var best = 0;
        for (var i = 1; i < keys.Count; i++)
            best = Operators.Order(run, keys[i], keys[best]) * sign > 0 ? i : best;
        return items[best];
    }

    private static object? Sort(Execution run, object? v, Arguments a)
    {
        var items = Sequences.Items(run, v);
        var keys = Pick(run, items, a.Get(2, "attribute"));
        return Sorted(run, items, TemplateValue.IsTrue(a.Get(1, "case_sensitive", false)) ? keys : keys.Select(Folded), TemplateValue.IsTrue(a.Get(0, "reverse", false)));
    }

    private static object? DictSort(Execution run, object? v, Arguments a)
    {
        if (v is not TemplateDictionary d)
            throw run.Fail($"{TemplateValue.KindOf(v)} cannot be sorted as a dictionary.");
        var pairs = Sequences.Pairs(run, d);
        var keys = pairs.Select(p => ((List<object?>)p!)[a.Get(1, "by") is MarkedText { Text: "value" } ? 1 : 0]);
        return Sorted(run, pairs, TemplateValue.IsTrue(a.Get(0, "case_sensitive", false)) ? keys : keys.Select(Folded), TemplateValue.IsTrue(a.Get(2, "reverse", false)));
    }

    private static List<object?> Sorted(Execution run, List<object?> items, IEnumerable<object?> keys, bool reverse)
    {
        run.Step(items.Count * 16L);
        var order = Comparer<object?>.Create((x, y) => Operators.Order(run, x, y));
        var pairs = items.Zip(keys).ToList();
        // Python keeps equal items in their order, in both directions. OrderBy wraps what a comparison throws on some paths, so it is found beforehand.
        foreach (var (_, key) in pairs)
            Operators.Order(run, key, pairs[0].Second);
        return [.. (reverse ? pairs.OrderByDescending(p => p.Second, order) : pairs.OrderBy(p => p.Second, order)).Select(p => p.First)];
    }

    private static object? Unique(Execution run, object? v, Arguments a)
    {
        var seen = new TemplateDictionary();
        var items = Sequences.Items(run, v);
        var keys = Pick(run, items, a.Get(1, "attribute"));
        var result = new List<object?>();
        foreach (var (item, key) in items.Zip(TemplateValue.IsTrue(a.Get(0, "case_sensitive", false)) ? keys : keys.Select(Folded)))
        {
            if (!seen.TryGet(key, out _))
                result.Add(item);
            seen.Set(key, null);
        }
        return result;
    }

    private static object? Folded(object? v) => v is MarkedText t ? new MarkedText(t.Text.ToLowerInvariant()) : v;
}
