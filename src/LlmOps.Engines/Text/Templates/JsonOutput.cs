using System.Globalization;
using System.Text;

namespace LlmOps.Engines.Text.Templates;

/// <summary>The filter <c>tojson</c> as transformers defines it: Python's <c>json.dumps</c> with <c>ensure_ascii=False</c>.</summary>
internal sealed class JsonOutput(Execution run, string? indent, string itemSeparator, string keySeparator, bool ascii, bool sorted)
{
    private const int MaxDepth = 100;

    private readonly StringBuilder text = new();
    private Marks marks;

    public static MarkedText Write(Execution run, object? value, Arguments a)
    {
        var indent = a.Get(1, "indent") switch
        {
            null => null,
            long n => new string(' ', (int)Math.Clamp(n, 0, 100)),
            MarkedText t => t.Text,
            var v => throw run.Fail($"tojson's indent must be a whole number or text, not {TemplateValue.KindOf(v)}."),
        };
        var separators = (a.Get(2, "separators") as List<object?>)?.Select(s => (s as MarkedText)?.Text).ToList();
        var output = new JsonOutput(run, indent, separators?.ElementAtOrDefault(0) ?? (indent is null ? ", " : ","), separators?.ElementAtOrDefault(1) ?? ": ",
            TemplateValue.IsTrue(a.Get(0, "ensure_ascii", false)), TemplateValue.IsTrue(a.Get(3, "sort_keys", false)));
        output.Append(value, 0);
        return new MarkedText(output.text.ToString(), output.marks);
    }

    private void Append(object? value, int depth)
    {
        run.Step();
        var before = text.Length;
        switch (value)
        {
            case MarkedText t:
                marks |= t.All;
                AppendText(t.Text);
                break;
            case List<object?> or TemplateDictionary when depth >= MaxDepth:
                throw run.Fail($"tojson: the value is nested more than {MaxDepth} deep.");
            case List<object?> list:
                Container('[', ']', list.Count, depth, i => Append(list[i], depth + 1));
                return;
            case TemplateDictionary d:
                var entries = d.Entries.ToList();
                if (sorted)
                    entries.Sort((x, y) => Operators.Order(run, x.Key, y.Key));
                Container('{', '}', entries.Count, depth, i =>
                {
                    marks |= entries[i].Key is MarkedText key ? key.All : Marks.None;
                    AppendText(entries[i].Key is MarkedText or bool or null ? Key(entries[i].Key) : TemplateValue.Scalar(entries[i].Key));
                    text.Append(keySeparator);
                    Append(entries[i].Value, depth + 1);
                });
                return;
            case null:
                text.Append("null");
                break;
            case bool b:
                text.Append(b ? "true" : "false");
                break;
            case double d when !double.IsFinite(d):
                text.Append(double.IsNaN(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
                break;
            case long or double:
                text.Append(TemplateValue.Scalar(value));
                break;
            default:
                throw run.Fail($"tojson: {TemplateValue.KindOf(value)} has no JSON form.");
        }
        run.Spend(text.Length - before);
    }

    private static string Key(object? key) => key switch { MarkedText t => t.Text, bool b => b ? "true" : "false", _ => "null" };

    private void Container(char open, char close, int count, int depth, Action<int> item)
    {
        text.Append(open);
        for (var i = 0; i < count; i++)
        {
            text.Append(i > 0 ? itemSeparator : "");
            NewLine(depth + 1);
            item(i);
        }
        if (count > 0)
            NewLine(depth);
        text.Append(close);
    }

    private void NewLine(int depth)
    {
        if (indent is null)
            return;
        run.Spend(indent.Length * depth + 1);
        text.Append('\n');
        for (var i = 0; i < depth; i++)
            text.Append(indent);
    }

    private void AppendText(string value)
    {
        text.Append('"');
        foreach (var c in value)
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                '\b' => text.Append("\\b"),
                '\f' => text.Append("\\f"),
                _ when c < ' ' || (ascii && c > '~') => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => text.Append(c),
            };
        text.Append('"');
    }
}
