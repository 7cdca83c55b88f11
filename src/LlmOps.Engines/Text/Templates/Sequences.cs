namespace LlmOps.Engines.Text.Templates;

/// <summary>What can be gone through, indexed, sliced and asked for attributes.</summary>
internal static class Sequences
{
    /// <summary>The items of a list, keys of a dictionary or characters of a text; nothing of an undefined value.</summary>
    public static List<object?> Items(Execution run, object? value)
    {
        var items = value switch
        {
            List<object?> list => list,
            TemplateDictionary d => d.Entries.Select(e => e.Key).ToList(),
            MarkedText t => TextMethods.CodePoints(run, t),
            Undefined => [],
            _ => throw run.Fail($"{TemplateValue.KindOf(value)} cannot be gone through."),
        };
        run.Step(items.Count);
        return items;
    }

    public static long Length(Execution run, object? value) => value switch
    {
        MarkedText t => TextMethods.Length(t),
        List<object?> list => list.Count,
        TemplateDictionary d => d.Count,
        Undefined => 0,
        _ => throw run.Fail($"{TemplateValue.KindOf(value)} has no length."),
    };

    public static bool Contains(Execution run, object? container, object? item)
    {
        switch (container)
        {
            case MarkedText t:
                return item is MarkedText part ? t.Text.Contains(part.Text, StringComparison.Ordinal) : throw run.Fail($"{TemplateValue.KindOf(item)} cannot be in a text.");
            case TemplateDictionary d:
                return d.TryGet(item, out _);
            default:
                return Items(run, container).Exists(i => TemplateValue.AreEqual(run, i, item));
        }
    }

    /// <summary><c>value.name</c>: a method or attribute, else an entry.</summary>
    public static object? Attribute(Execution run, object? value, string name) => Method(run, value, name) ?? Entry(run, value, new MarkedText(name), name);

    /// <summary><c>value[key]</c>: an entry or item, else a method or attribute.</summary>
    public static object? Item(Execution run, object? value, object? key)
    {
        if (key is long or bool && value is List<object?> or MarkedText)
        {
            var index = (long)TemplateValue.Number(key);
            var items = value as List<object?> ?? TextMethods.CodePoints(run, (MarkedText)value);
            index += index < 0 ? items.Count : 0;
            return index >= 0 && index < items.Count ? items[(int)index] : new Undefined($"[{TemplateValue.Scalar(key)}]");
        }
        var name = key is MarkedText t ? t.Text : TemplateValue.ToText(run, key).Text;
        var entry = Entry(run, value, key, name);
        return entry is Undefined && key is MarkedText ? Method(run, value, name) ?? entry : entry;
    }

    public static object? Slice(Execution run, object? value, object? start, object? stop, object? step)
    {
        if (value is TemplateDictionary)
            throw run.Fail("a dictionary cannot be sliced.");
        if (value is not (MarkedText or List<object?> or Undefined))
            return new Undefined("a slice");
        var items = value is MarkedText t && step is null && !t.Text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') ? null : Items(run, value is Undefined ? throw Missing(run, value) : value);
        var count = items?.Count ?? ((MarkedText)value!).Length;
        var by = Bound(run, step, 1);
        if (by == 0)
            throw run.Fail("a slice's step must not be 0.");
        var from = Limit(Bound(run, start, by > 0 ? 0 : long.MaxValue), count, by);
        var to = stop is null && by < 0 ? -1 : Limit(Bound(run, stop, long.MaxValue), count, by);
        if (items is null)
            return ((MarkedText)value!).Slice((int)from, (int)Math.Max(0, to - from));
        var result = new List<object?>();
        for (var i = from; by > 0 ? i < to : i > to; i += by)
            result.Add(items[(int)i]);
        run.Step(result.Count);
        return value is MarkedText ? TextMethods.Join(run, MarkedText.Empty, result) : value is TemplateTuple ? new TemplateTuple(result) : result;
    }

    public static Exception Missing(Execution run, object? value) => run.Fail($"'{((Undefined)value!).Name}' is undefined.");

    private static object? Entry(Execution run, object? value, object? key, string name) => value switch
    {
        Undefined => throw run.Fail($"'{((Undefined)value).Name}' is undefined, so it has no '{name}'."),
        TemplateDictionary d when d.TryGet(key, out var found) => found,
        _ => new Undefined(name),
    };

    private static TemplateFunction? Method(Execution run, object? value, string name) => value switch
    {
        MarkedText t => TextMethods.Find(t, name),
        TemplateDictionary { IsNamespace: false } d => DictionaryMethod(d, name),
        List<object?> list => ListMethod(list, name),
        _ => null,
    };

    private static TemplateFunction? DictionaryMethod(TemplateDictionary d, string name) => name switch
    {
        "get" => (_, a) => d.TryGet(a.Get(0, "key"), out var value) ? value : a.Get(1, "default"),
        "items" => (run, _) => Pairs(run, d),
        "keys" => (run, _) => Items(run, d),
        "values" => (run, _) => Counted(run, d.Entries.Select(e => e.Value).ToList()),
        _ => null,
    };

    public static List<object?> Pairs(Execution run, TemplateDictionary d) => Counted(run, d.Entries.Select(e => (object?)new TemplateTuple([e.Key, e.Value])).ToList());

    // Lists are never changed in place: they may belong to the caller's messages. transformers forbids append and the like too.
    private static TemplateFunction? ListMethod(List<object?> list, string name) => name switch
    {
        "index" => (run, a) => list.FindIndex(i => TemplateValue.AreEqual(run, i, a.Get(0, "value"))) is var at && at >= 0 ? (long)at : throw run.Fail("the value is not in the list."),
        "count" => (run, a) => (long)list.Count(i => TemplateValue.AreEqual(run, i, a.Get(0, "value"))),
        "append" or "extend" or "insert" or "pop" or "remove" or "clear" or "sort" or "reverse" =>
            (run, _) => throw TemplateError.Unsupported(run.Line, $"list.{name} is not supported, as lists are never changed; make a new one with +."),
        _ => null,
    };

    private static List<object?> Counted(Execution run, List<object?> list)
    {
        run.Step(list.Count);
        return list;
    }

    private static long Bound(Execution run, object? value, long fallback) => value switch
    {
        null => fallback,
        long n => n,
        bool b => b ? 1 : 0,
        _ => throw run.Fail($"a slice needs whole numbers, not {TemplateValue.KindOf(value)}."),
    };

    private static long Limit(long index, int count, long step)
    {
        index = index < 0 ? Math.Max(index + count, step > 0 ? 0 : -1) : index;
        return Math.Min(index, step > 0 ? count : count - 1);
    }
}
